package bench

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
)

// door is one transport to the server.
type door struct {
	name string
	// size is the number of operations in a call.
	size int
	// callers is the number of calls in flight.
	callers int
	// open prepares a case. The context ends every call made in it.
	open func(ctx context.Context, w *workload, callers int) (*session, error)
}

// session is what a door has open during one case.
type session struct {
	callers []caller
	close   func()
}

// caller makes one call after the other; a caller is used by one goroutine at a time.
type caller interface {
	// call makes the next call and says how many of its operations failed, with the first reason.
	call(ctx context.Context) (failed int, err error)
	// signed are requests to verify some signatures of the last answer; none when it had none.
	signed() []*cpmv1.ProcessRequest
}

// server is the server with a connection for each port.
type server struct {
	json *jsonPort
	grpc *grpc.ClientConn
}

// connect prepares both ports; neither is dialled yet.
func connect(c Config) (*server, error) {
	s := new(server)
	var err error
	if c.Address != "" {
		if s.json, err = newJSONPort(c); err != nil {
			return nil, err
		}
	}
	if c.GRPCAddress != "" {
		if s.grpc, err = newGRPCConn(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *server) close() {
	if s.json != nil {
		s.json.transport.CloseIdleConnections()
	}
	if s.grpc != nil {
		_ = s.grpc.Close()
	}
}

// process performs one operation, on whichever port there is.
func (s *server) process(ctx context.Context, r *cpmv1.ProcessRequest) (*cpmv1.ProcessResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if s.json != nil {
		return s.json.process(ctx, r)
	}
	answer, err := cpmv1.NewCryptographicServiceClient(s.grpc).Process(ctx, r)
	if err != nil {
		return nil, declinedGRPC(err)
	}
	return answer, nil
}

// doors are the transports asked for that the server's ports allow, in the order of the report.
func (s *server) doors(c Config) []door {
	var found []door
	for _, d := range s.allDoors(c) {
		if d.open != nil && slices.Contains(c.Transports, d.name) {
			found = append(found, d)
		}
	}
	return found
}

func (s *server) allDoors(c Config) []door {
	single := door{size: 1, callers: c.Concurrency}
	batch := door{size: c.Batch, callers: max(2, c.Concurrency/16)}
	all := []door{single, single, single, batch, batch}
	for i, name := range allTransports() {
		all[i].name = name
	}
	if s.json != nil {
		all[0].open, all[3].open = s.json.openSingle, s.json.openBatch
	}
	if s.grpc != nil {
		all[1].open, all[2].open, all[4].open = s.openUnary, s.openStream, s.openBatch
	}
	return all
}
