package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/fault"
)

// small limits that texts of a test can exceed.
func smallLimits() Limits {
	return Limits{Body: 64, Message: 4096, Batch: 8192, BatchItems: 5, Headers: 4, HeaderName: 16, HeaderValue: 48}.orDefault()
}

func batchShapes(l Limits) *shape {
	s := newShapes(newOperations(), &l)
	return s.batchRequest
}

// TestJSONAgreesWithProtojson checks texts that are taken: the message is the one protojson reads.
func TestJSONAgreesWithProtojson(t *testing.T) {
	t.Parallel()
	s := batchShapes(smallLimits())
	for _, in := range []string{
		`{}`, ` { } `, `{"items":[]}`, `{"items":null}`, `{"items":[{}]}`,
		`{"items":[{"fsp":"a","jwsSign":{"method":"POST"}}]}`,
		`{"items":[{"fsp":"a","jws_sign":{"body_base64":"AAE="}}]}`,
		`{"items":[{"jwsSign":{"headers":{"a":"b","A":"c"},"key":{"name":"k","version":4294967295}}}]}`,
		`{"items":[{"jwsSign":{"headers":{},"key":{"version":"7"}}},{"jwsVerify":{"body":""}}]}`,
		"{\"items\":[{\"jwsSign\":{\"body\":\"\\u0041\\ud83d\\ude00\\n\\/\\\"\\\\\\b\\f\\r\\t\u00e9\u2028\"}}]}",
		`{"\u0069tems":[{"jwsSign":null,"jwsVerify":{}}]}`,
		"\t{\r\n\"items\" :\n[ { \"fsp\" : \"x\" } , { } ] }",
	} {
		var ours, theirs cpmv1.BatchRequest
		if e := decodeJSON([]byte(in), s, &ours); e != nil {
			t.Errorf("%s: %v", in, e)
			continue
		}
		if err := protojson.Unmarshal([]byte(in), &theirs); err != nil {
			t.Fatalf("%s: protojson refuses: %v", in, err)
		}
		if diff := cmp.Diff(&theirs, &ours, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-protojson +ours)\n%s", in, diff)
		}
	}
}

func TestJSONRefuses(t *testing.T) {
	t.Parallel()
	s := batchShapes(smallLimits())
	in := func(message string) string { return `{"items":[{"jwsSign":` + message + `}]}` }
	long := strings.Repeat("x", 65)
	for name, c := range map[string]struct {
		text string
		want fault.Kind
	}{
		"nothing":                 {``, fault.Invalid},
		"null":                    {`null`, fault.Invalid},
		"list":                    {`[]`, fault.Invalid},
		"two texts":               {`{}{}`, fault.Invalid},
		"byte order mark":         {"\ufeff{}", fault.Invalid},
		"truncated":               {`{"items":[{"fsp":"a`, fault.Invalid},
		"truncated after member":  {`{"items":[{"fsp":"a"`, fault.Invalid},
		"trailing comma":          {`{"items":[],}`, fault.Invalid},
		"trailing comma in list":  {`{"items":[{},]}`, fault.Invalid},
		"null item":               {`{"items":[null]}`, fault.Invalid},
		"depth bomb":              {strings.Repeat(`{"items":[`, 1000), fault.Invalid},
		"depth bomb of lists":     {strings.Repeat(`[`, 4000), fault.Invalid},
		"unknown member":          {in(`{"methods":"POST"}`), fault.Invalid},
		"extension name":          {in(`{"[a.b]":"POST"}`), fault.Invalid},
		"repeated member":         {in(`{"uri":"a","uri":"a"}`), fault.Invalid},
		"repeated by other name":  {in(`{"bodyBase64":"","body_base64":""}`), fault.Invalid},
		"repeated header":         {in(`{"headers":{"a":"b","a":"b"}}`), fault.Invalid},
		"repeated, escaped":       {in(`{"headers":{"a":"b","\u0061":"b"}}`), fault.Invalid},
		"two of a oneof":          {in(`{"body":"","bodyBase64":""}`), fault.Invalid},
		"two operations":          {`{"items":[{"jwsSign":{},"jwsVerify":{}}]}`, fault.Invalid},
		"number for text":         {in(`{"uri":1}`), fault.Invalid},
		"null header":             {in(`{"headers":{"a":null}}`), fault.Invalid},
		"list for headers":        {in(`{"headers":["a"]}`), fault.Invalid},
		"fraction":                {in(`{"key":{"version":1.5}}`), fault.Invalid},
		"exponent":                {in(`{"key":{"version":1e2}}`), fault.Invalid},
		"leading zero":            {in(`{"key":{"version":01}}`), fault.Invalid},
		"negative":                {in(`{"key":{"version":-1}}`), fault.Invalid},
		"33 bits":                 {in(`{"key":{"version":4294967296}}`), fault.Invalid},
		"half quoted number":      {in(`{"key":{"version":"1}}`), fault.Invalid},
		"control character":       {in("{\"uri\":\"a\nb\"}"), fault.Invalid},
		"invalid UTF-8":           {in("{\"uri\":\"\xff\"}"), fault.Invalid},
		"lone surrogate":          {in(`{"uri":"\ud800"}`), fault.Invalid},
		"reversed surrogates":     {in(`{"uri":"\ude00\ud83d"}`), fault.Invalid},
		"high, then no low":       {in(`{"uri":"\ud83d\u0041"}`), fault.Invalid},
		"unknown escape":          {in(`{"uri":"\x41"}`), fault.Invalid},
		"short escape":            {in(`{"uri":"\u00`), fault.Invalid},
		"not hexadecimal":         {in(`{"uri":"\u00g0"}`), fault.Invalid},
		"single quotes":           {in(`{'uri':'a'}`), fault.Invalid},
		"base64 without padding":  {in(`{"bodyBase64":"AAE"}`), fault.Invalid},
		"base64url":               {in(`{"bodyBase64":"_-_-"}`), fault.Invalid},
		"base64 trailing bits":    {in(`{"bodyBase64":"AAF="}`), fault.Invalid},
		"base64 with line end":    {in(`{"bodyBase64":"AAAA\nAAA="}`), fault.Invalid},
		"body too long":           {in(`{"body":"` + long + `"}`), fault.TooLarge},
		"escaped body too long":   {in(`{"body":"` + strings.Repeat(`\u0041`, 65) + `"}`), fault.TooLarge},
		"base64 body too long":    {in(`{"bodyBase64":"` + strings.Repeat("A", 88) + `"}`), fault.TooLarge},
		"base64 far too long":     {in(`{"bodyBase64":"` + strings.Repeat("A", 800) + `"}`), fault.TooLarge},
		"header name too long":    {in(`{"headers":{"` + long + `":""}}`), fault.TooLarge},
		"header value too long":   {in(`{"headers":{"a":"` + long + `"}}`), fault.TooLarge},
		"other text too long":     {in(`{"uri":"` + long + `"}`), fault.TooLarge},
		"too many headers":        {in(`{"headers":{"a":"","b":"","c":"","d":"","e":""}}`), fault.TooLarge},
		"too many items":          {`{"items":[{},{},{},{},{},{}]}`, fault.TooLarge},
		"missing colon":           {`{"items"[]}`, fault.Invalid},
		"missing colon in header": {in(`{"headers":{"a" "b"}}`), fault.Invalid},
		"missing comma":           {in(`{"uri":"a" "method":"b"}`), fault.Invalid},
		"missing comma, headers":  {in(`{"headers":{"a":"b" "c":"d"}}`), fault.Invalid},
		"missing comma in list":   {`{"items":[{} {}]}`, fault.Invalid},
		"list for object":         {`{"items":{}}`, fault.Invalid},
	} {
		var m cpmv1.BatchRequest
		e := decodeJSON([]byte(c.text), s, &m)
		if e == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		if e.Kind != c.want {
			t.Errorf("%s: %v, want kind %v", name, e, c.want)
		}
	}
}

func TestJSONTakesTextsAtTheLimit(t *testing.T) {
	t.Parallel()
	s := batchShapes(smallLimits())
	for _, in := range []string{
		`{"items":[{},{},{},{},{}]}`,
		`{"items":[{"jwsSign":{"body":"` + strings.Repeat("x", 64) + `"}}]}`,
		`{"items":[{"jwsSign":{"body":"` + strings.Repeat(`\u0041`, 64) + `"}}]}`,
		`{"items":[{"jwsSign":{"bodyBase64":"` + strings.Repeat("A", 84) + `AA=="}}]}`,
		`{"items":[{"jwsSign":{"headers":{"a":"","b":"","c":"","d":"` + strings.Repeat("v", 48) + `"}}}]}`,
	} {
		if e := decodeJSON([]byte(in), s, new(cpmv1.BatchRequest)); e != nil {
			t.Errorf("%s: %v", in, e)
		}
	}
}

func TestJSONIsWrittenCompactAndInOrder(t *testing.T) {
	t.Parallel()
	l := DefaultLimits()
	s := newShapes(newOperations(), &l)
	no := false
	m := &cpmv1.BatchResponse{Results: []*cpmv1.ProcessResponse{
		{Result: &cpmv1.ProcessResponse_JwsSign{JwsSign: &cpmv1.JwsSignResponse{
			Headers: map[string]string{"b": "1", "a": "\u0001\n\r\t\"\\é</script>", "": "x"},
			Content: &cpmv1.JwsSignResponse_Body{}, KeyVersion: 7, Key: &cpmv1.KeyIdentity{Id: "00ff"},
		}}},
		{Result: &cpmv1.ProcessResponse_JwsVerify{JwsVerify: &cpmv1.JwsVerifyResponse{Valid: &no, Reason: "replayed"}}},
		{Result: &cpmv1.ProcessResponse_JwsSign{JwsSign: &cpmv1.JwsSignResponse{
			Content: &cpmv1.JwsSignResponse_BodyBase64{BodyBase64: []byte{0, 255}},
		}}},
		{},
	}}
	const want = `{"results":[{"jwsSign":{"headers":{"":"x","a":"\u0001\n\r\t\"\\é</script>","b":"1"},"body":"","keyVersion":7,"key":{"id":"00ff"}}},` +
		`{"jwsVerify":{"valid":false,"reason":"replayed"}},{"jwsSign":{"bodyBase64":"AP8="}},{}]}`
	got, err := appendJSON(nil, s.batchResponse, m)
	if err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
	var back cpmv1.BatchResponse
	if err := protojson.Unmarshal(got, &back); err != nil || !proto.Equal(m, &back) {
		t.Errorf("protojson reads %v %v", &back, err)
	}
}

func TestJSONRefusesToWriteWhatIsNotUTF8(t *testing.T) {
	t.Parallel()
	l := DefaultLimits()
	s := newShapes(newOperations(), &l)
	for _, m := range []*cpmv1.JwsSignResponse{
		{Algorithm: "\xff"},
		{Headers: map[string]string{"a": "\xff"}},
		{Headers: map[string]string{"\xff": "a"}},
		{Key: &cpmv1.KeyIdentity{Name: "\xc0\x80"}},
	} {
		p := &cpmv1.BatchResponse{Results: []*cpmv1.ProcessResponse{{Result: &cpmv1.ProcessResponse_JwsSign{JwsSign: m}}}}
		if out, err := appendJSON(nil, s.batchResponse, p); err == nil {
			t.Errorf("%q", out)
		}
	}
}

// TestJSONOf64Bits is about the mapping of fields that only streams have today.
func TestJSONOf64Bits(t *testing.T) {
	t.Parallel()
	l := DefaultLimits()
	s := newShapes(newOperations(), &l).streamRequest
	for _, in := range []string{`{"id":"18446744073709551615"}`, `{"id":12}`} {
		var ours, theirs, back cpmv1.StreamRequest
		if e := decodeJSON([]byte(in), s, &ours); e != nil {
			t.Fatal(e)
		}
		if err := protojson.Unmarshal([]byte(in), &theirs); err != nil || !proto.Equal(&ours, &theirs) {
			t.Errorf("%s: %v, protojson %v %v", in, &ours, &theirs, err)
		}
		out, err := appendJSON(nil, s, &ours)
		if err != nil || protojson.Unmarshal(out, &back) != nil || !proto.Equal(&ours, &back) {
			t.Errorf("%s: written as %s %v", in, out, err)
		}
	}
}

// TestJSONOfBooleans is about a member that only answers have today.
func TestJSONOfBooleans(t *testing.T) {
	t.Parallel()
	l := DefaultLimits()
	o := newOperations()
	s := newShapes(o, &l).responses[o.byPath["jws/verify"]]
	for in, want := range map[string]string{`{"valid":true}`: "true", `{"valid":false}`: "false", `{"valid":null}`: "", `{}`: ""} {
		var m cpmv1.JwsVerifyResponse
		got := ""
		if e := decodeJSON([]byte(in), s, &m); e != nil {
			t.Fatal(e)
		}
		if m.Valid != nil {
			got = fmt.Sprint(m.GetValid())
		}
		if got != want {
			t.Errorf("%s: %q", in, got)
		}
	}
	for _, in := range []string{`{"valid":1}`, `{"valid":"true"}`, `{"valid":truefalse}`, `{"valid":tru`} {
		if e := decodeJSON([]byte(in), s, new(cpmv1.JwsVerifyResponse)); e == nil {
			t.Errorf("%s: taken", in)
		}
	}
}

func TestAFieldWithoutMappingIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	for _, m := range []proto.Message{new(wrapperspb.DoubleValue), new(structpb.Struct), new(structpb.ListValue)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T has a shape", m)
				}
			}()
			l := DefaultLimits()
			newShape(m.ProtoReflect().Descriptor(), &l, map[protoreflect.FullName]*shape{})
		}()
	}
}

// FuzzJSON checks that whatever is taken is what protojson reads, that what is written is read the same by both, and that
// what protojson takes is refused only for the known reasons.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"items":[{"fsp":"a","jwsSign":{"method":"POST","uri":"/q","headers":{"a":"b"},"body":"{\"a\":1}","form":"raw","key":{"name":"k","version":1}}}]}`))
	f.Add([]byte(`{"items":[{"fsp":"a","jws_verify":{"bodyBase64":"AAE=","headers":{"\u00e9":"\ud83d\ude00"}}},null]}`))
	f.Add([]byte(`{"items":[{"fsp":"a","jwsVerify":{"key":{"version":"12"},"body":null}}]} `))
	l := DefaultLimits()
	in, out := newShapes(newOperations(), &l).batchRequest, newShapes(newOperations(), &l).batchRequest
	f.Fuzz(func(t *testing.T, data []byte) {
		var ours, theirs, back cpmv1.BatchRequest
		e := decodeJSON(data, in, &ours)
		err := protojson.Unmarshal(data, &theirs)
		if e != nil {
			if err == nil && e.Kind != fault.TooLarge && !strings.ContainsAny(string(data), ".eE-_") && !strings.Contains(string(data), "ase64") {
				t.Fatalf("refused, but protojson takes it: %v", e)
			}
			return
		}
		if err != nil || !proto.Equal(&ours, &theirs) {
			t.Fatalf("ours %v\nprotojson %v %v", &ours, &theirs, err)
		}
		text, err := appendJSON(nil, out, &ours)
		if err != nil {
			t.Fatal(err)
		}
		if err := protojson.Unmarshal(text, &back); err != nil || !proto.Equal(&ours, &back) {
			t.Fatalf("written as %s: %v", text, err)
		}
	})
}
