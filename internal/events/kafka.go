package events

import (
	"context"
	"encoding/json"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka sends messages to the topics of event-sdk, topic-event-audit and topic-event-log, as JSON. The trace id is the
// record's key, so that the events of a trace are in one partition.
type Kafka struct {
	brokers []string
	secure  Secure
	client  *kgo.Client // nil until the next message; used by the one sender only
}

// NewKafka makes the transport; it connects with the first message.
func NewKafka(brokers []string, secure Secure) *Kafka {
	return &Kafka{brokers: brokers, secure: secure}
}

// Send produces all messages and waits until every in-sync replica has them. After an error it connects anew.
func (k *Kafka) Send(ctx context.Context, messages []*Message) (int, error) {
	if err := k.connect(); err != nil {
		return 0, err
	}
	records := make([]*kgo.Record, len(messages))
	for i, m := range messages {
		value, err := json.Marshal(m)
		if err != nil {
			return 0, err
		}
		records[i] = &kgo.Record{Topic: "topic-event-" + m.Metadata.Event.Type, Value: value}
		if t := m.Metadata.Trace; t != nil {
			records[i].Key = []byte(t.TraceID)
		}
	}
	if err := k.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		k.Close()
		return 0, err
	}
	return 0, nil
}

func (k *Kafka) connect() error {
	if k.client != nil {
		return nil
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(k.brokers...), kgo.ClientID(service), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordDeliveryTimeout(sendTimeout),
		kgo.MaxBufferedRecords(maxBatch), kgo.ProducerBatchCompression(kgo.NoCompression()),
	}
	if k.secure != nil {
		config, err := k.secure()
		if err != nil {
			return err
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	k.client = client
	return nil
}

// Close ends the connections.
func (k *Kafka) Close() {
	if k.client != nil {
		k.client.Close()
		k.client = nil
	}
}
