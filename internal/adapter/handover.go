package adapter

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/mojaloop/cpm/internal/fault"
	"github.com/mojaloop/cpm/internal/secret"
)

// Handover is what a core gives a managed adapter process before anything else: who it is, and one-off certificates that
// were never anywhere but in the memory of the two. It travels over an inherited descriptor, not as an argument, in the
// environment or in a file.
type Handover struct {
	// Name is the adapter's.
	Name string `json:"name"`
	// Core is the name in the core's certificate.
	Core string `json:"core"`
	// Options are the process's own, as JSON: what an external one is told by its flags.
	Options json.RawMessage `json:"options,omitempty"`

	certificate, authority []byte       // PEM
	key                    secret.Bytes // PEM
}

// maxPart bounds each part of a Handover, in bytes.
const maxPart = 64 << 10

// write sends the parts, each with its length before it.
func (h *Handover) write(w io.Writer) error {
	head, err := json.Marshal(h)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{head, h.certificate, h.authority, h.key.Open(secret.Token{})} {
		if len(part) > maxPart {
			return fault.New(fault.Invalid, "the adapter's settings are too large to be handed over")
		}
		length := binary.BigEndian.AppendUint32(nil, uint32(len(part))) //nolint:gosec // at most maxPart
		if _, err := w.Write(length); err != nil {
			return err
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// readHandover is the other end of write.
func readHandover(r io.Reader) (*Handover, error) {
	var parts [4][]byte
	for i := range parts {
		var err error
		if parts[i], err = readPart(r); err != nil {
			return nil, fmt.Errorf("the handover cannot be read: %w", err)
		}
	}
	h := &Handover{certificate: parts[1], authority: parts[2], key: secret.Take(parts[3])}
	if err := json.Unmarshal(parts[0], h); err != nil {
		return nil, fmt.Errorf("the handover cannot be read: %w", err)
	}
	return h, nil
}

func readPart(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxPart {
		return nil, errors.New("a part is too long")
	}
	part := make([]byte, n)
	_, err := io.ReadFull(r, part)
	return part, err
}

// TLS is the process's side of the link: its certificate, and the one authority a core's certificate may come from. The
// key is taken out of the Handover.
func (h *Handover) TLS() (*tls.Config, error) {
	defer h.key.Destroy()
	pair, err := tls.X509KeyPair(h.certificate, h.key.Open(secret.Token{}))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(h.authority) {
		return nil, errors.New("the handover has no authority")
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true, ClientAuth: tls.RequireAndVerifyClientCert,
		Certificates: []tls.Certificate{pair}, ClientCAs: pool,
	}, nil
}

// The descriptors a managed process inherits beside the standard three.
const (
	handoverDescriptor = 3
	reportDescriptor   = 4
)

// Inherited is a managed process's side of its two descriptors.
type Inherited struct {
	Handover *Handover
	// Orphaned is closed when the core is gone, however it went.
	Orphaned <-chan struct{}

	report *os.File
}

// Inherit reads the Handover, in a process that a core has started with --managed.
func Inherit() (*Inherited, error) {
	return inherit(os.NewFile(handoverDescriptor, "handover"), os.NewFile(reportDescriptor, "report"))
}

func inherit(handover, report *os.File) (*Inherited, error) {
	h, err := readHandover(handover)
	if err != nil {
		return nil, fault.New(fault.State, "this is for the adapters a CPM starts itself; leave --managed out").Because(err)
	}
	orphaned := make(chan struct{})
	go func() {
		defer close(orphaned)
		_, _ = io.Copy(io.Discard, handover) // nothing comes any more but its end
	}()
	return &Inherited{Handover: h, Orphaned: orphaned, report: report}, nil
}

// Report tells the core where this process listens.
func (i *Inherited) Report(address string) error {
	_, err := fmt.Fprintln(i.report, address)
	return errors.Join(err, i.report.Close())
}

// maxAddress bounds the line a managed process reports.
const maxAddress = 64

// readAddress reads where a managed process listens, which is on loopback.
func readAddress(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxAddress)).ReadString('\n')
	if err != nil {
		return "", errors.New("the adapter's process ended, or did not say in time where it listens")
	}
	address, err := netip.ParseAddrPort(line[:len(line)-1])
	if err != nil || !address.Addr().IsLoopback() {
		return "", errors.New("the adapter's process does not listen on loopback")
	}
	return address.String(), nil
}
