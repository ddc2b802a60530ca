package events_test

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mojaloop/cpm/internal/events"
	"github.com/mojaloop/cpm/internal/obs"
)

// bytesOnly is a codec that leaves messages as they are.
type bytesOnly struct{}

func (bytesOnly) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (bytesOnly) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (bytesOnly) Name() string { return "proto" }

// sidecar answers every call with an answer, and keeps what it was asked.
func sidecar(t *testing.T, answer []byte) (address string, asked chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = make(chan []byte, 16)
	s := grpc.NewServer(grpc.ForceServerCodec(bytesOnly{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		var question []byte
		if err := stream.RecvMsg(&question); err != nil {
			return err
		}
		if m, _ := grpc.MethodFromServerStream(stream); m != "/mojaloop.events.EventLoggerService/Log" {
			t.Errorf("method %s", m)
		}
		asked <- question
		return stream.SendMsg(&answer)
	}))
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String(), asked
}

// at finds the value of a field in a message, by the numbers on the way to it.
func at(t *testing.T, message []byte, path ...protowire.Number) []byte {
	t.Helper()
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			t.Fatal("no message")
		}
		size := protowire.ConsumeFieldValue(field, kind, message[n:])
		if size < 0 {
			t.Fatal("no field")
		}
		value := message[n : n+size]
		message = message[n+size:]
		if field != path[0] {
			continue
		}
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		if len(path) == 1 {
			return value
		}
		return at(t, value, path[1:]...)
	}
	return nil
}

func TestASidecarGetsTheMessageAsItsProtoFileSays(t *testing.T) {
	t.Parallel()
	address, asked := sidecar(t, []byte{8, 2}) // accepted
	f, log, _ := start(t, events.NewSidecar(address, nil))
	trace := strings.Repeat("ab", 16)
	log.LogAttrs(t.Context(), obs.LevelAudit, "a key has been changed", obs.Event("key.added"), obs.TraceID(trace), obs.ErrorCode("2001"))
	f.Close(t.Context())
	m := <-asked
	got := []string{
		string(at(t, m, 2)), string(at(t, m, 6)), string(at(t, m, 7, 1)), string(at(t, m, 7, 2)), string(at(t, m, 5, 1, 6, 3)),
		string(at(t, m, 5, 2, 1)), string(at(t, m, 5, 2, 2)), string(at(t, m, 5, 1, 2)), string(at(t, m, 5, 1, 3)), string(at(t, m, 5, 1, 6, 1)),
	}
	want := []string{
		"cpm", "application/json", "application/json",
		`{"level":"audit","msg":"a key has been changed","event":"key.added","traceId":"` + trace + `","errorCode":"2001"}`,
		"a key has been changed", "cpm", trace, "\x02", "\x08", "\x01",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(at(t, m, 1)) != 36 || len(at(t, m, 5, 1, 1)) != 36 || len(at(t, m, 5, 2, 3)) != 16 || len(at(t, m, 5, 1, 4)) != 24 {
		t.Error("ids and times have other lengths")
	}
	if n, _ := protowire.ConsumeVarint(at(t, m, 5, 1, 6, 2)); n != 2001 {
		t.Errorf("code %d", n)
	}
	if got := f.Counts(); got != (events.Counts{Sent: 1}) {
		t.Errorf("%+v", got)
	}
}

func TestWhatASidecarDoesNotWantIsNotSentAgain(t *testing.T) {
	t.Parallel()
	address, asked := sidecar(t, []byte{8, 3}) // error
	f, log, _ := start(t, events.NewSidecar(address, nil))
	log.LogAttrs(t.Context(), slog.LevelInfo, "one", obs.Event("a.b"))
	f.Close(t.Context())
	if got := f.Counts(); got != (events.Counts{Refused: 1}) || len(asked) != 1 {
		t.Errorf("%+v, %d calls", got, len(asked))
	}
}

func TestAnAnswerThatCannotBeReadAndFilesThatCannotBeAreFailures(t *testing.T) {
	t.Parallel()
	address, _ := sidecar(t, []byte{8})
	bad := errors.New("no such file")
	for name, transport := range map[string]events.Transport{
		"answer":        events.NewSidecar(address, nil),
		"sidecar's TLS": events.NewSidecar(address, func() (*tls.Config, error) { return nil, bad }),
		"brokers' TLS":  events.NewKafka([]string{address}, func() (*tls.Config, error) { return nil, bad }),
		"plaintext for TLS": events.NewSidecar(address, func() (*tls.Config, error) {
			return &tls.Config{MinVersion: tls.VersionTLS13, ServerName: "sidecar"}, nil
		}),
	} {
		if _, err := transport.Send(t.Context(), []*events.Message{{ID: "1"}}); err == nil {
			t.Errorf("%s: no error", name)
		}
		transport.Close()
	}
}

func TestKafkaGetsEachTypeInItsTopic(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "topic-event-audit", "topic-event-log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	f, log, _ := start(t, events.NewKafka(cluster.ListenAddrs(), nil))
	trace := strings.Repeat("cd", 16)
	log.LogAttrs(t.Context(), obs.LevelAudit, "audited", obs.Event("key.added"), obs.TraceID(trace))
	log.LogAttrs(t.Context(), slog.LevelInfo, "logged", obs.Event("a.b"))
	f.Close(t.Context())
	if got := f.Counts(); got != (events.Counts{Sent: 2}) {
		t.Fatalf("%+v", got)
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("topic-event-audit", "topic-event-log"),
		kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	got := map[string]string{}
	for len(got) < 2 && t.Context().Err() == nil {
		fetched := reader.PollFetches(t.Context())
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			var m events.Message
			if err := json.Unmarshal(r.Value, &m); err != nil {
				t.Error(err)
			}
			got[r.Topic] = m.Metadata.Event.State.Description + " " + string(r.Key)
		})
	}
	if diff := cmp.Diff(map[string]string{"topic-event-audit": "audited " + trace, "topic-event-log": "logged "}, got); diff != "" {
		t.Error(diff)
	}
}
