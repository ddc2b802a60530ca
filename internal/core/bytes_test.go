package core_test

import (
	"context"
	"testing"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// Of the bytes that are worked on, one caller alone has half, and so there is always some for another.
func TestOneCallersBytesLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	stuck := &module{do: func(context.Context, *cpm.Request) (*cpm.Result, error) {
		begun <- struct{}{}
		<-end
		return nil, fault.New(fault.Device, "x")
	}}
	r := runningWith(t, stuck, func(d *core.Document) {
		d.Grants = append(d.Grants, core.GrantEntry{Principal: "certificate:other", FSP: "payerfsp", Operations: []string{"jws.sign"}})
	})
	answers := make(chan error, 8)
	ask := func(caller string) {
		q := r.signRequest()
		q.Size = 128 << 10 // of 1 MiB
		if caller != "" {
			q.Caller = cpm.Principal{Kind: cpm.PrincipalCertificate, Name: caller}
		}
		go func() {
			_, err := r.Process(t.Context(), q)
			answers <- err
		}()
	}
	for range 4 {
		ask("")
		<-begun
	}
	ask("")
	kind(t, <-answers, fault.Busy)
	for range 2 {
		ask("other")
		<-begun
	}
	close(end)
	for range 6 {
		kind(t, <-answers, fault.Device)
	}
}
