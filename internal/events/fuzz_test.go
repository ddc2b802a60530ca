package events

import "testing"

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{"", "\x08\x02", "\x08\x03", "\x08", "\x12\x01a\x08\x01", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x0b\x0c"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		ok, err := accepted(answer)
		if ok && err != nil {
			t.Error("accepted and unreadable")
		}
		if err != nil {
			return // what is added could be a part of what was cut off
		}
		if again, err := accepted(append(answer, 8, answerError)); err == nil && again {
			t.Error("the last status counts")
		}
	})
}
