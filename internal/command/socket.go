package command

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mojaloop/cpm/internal/fault"
)

const (
	// maxConnections bounds the callers at a time; there is one operator, perhaps with a script.
	maxConnections = 64
	// probe is how long a socket found in place gets to answer.
	probe = time.Second
	// socketMode lets the owner in, and root, whom modes do not stop.
	socketMode = 0o600
)

// Open opens the socket at path for its owner alone. A socket left behind by a process that is gone is taken away;
// anything else at the path is left alone and is an error. The connections it accepts say in RemoteAddr who is at the
// other end, as "uid:<n>".
func Open(ctx context.Context, path string) (net.Listener, error) {
	if path == "" || strings.HasPrefix(path, "@") {
		return nil, fault.New(fault.Invalid, "the socket needs the path of a file")
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: ownerOnly}
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the administration socket cannot be opened").Because(err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		_ = l.Close()
		return nil, fault.New(fault.Unavailable, "the administration socket cannot be closed to others").Because(err)
	}
	return &listener{Listener: l, slots: make(chan struct{}, maxConnections)}, nil
}

// removeStale makes room at path if a socket is there that nobody answers on.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fault.New(fault.Unavailable, "the administration socket cannot be opened").Because(err)
	case info.Mode().Type() != fs.ModeSocket:
		return fault.New(fault.State, "what stands at the path of the administration socket is not a socket; remove it or configure another path")
	}
	dialer := net.Dialer{Timeout: probe}
	c, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = c.Close()
		return fault.New(fault.State, "another CPM answers on the administration socket; stop it or configure another path")
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fault.New(fault.State, "the administration socket is in use").Because(err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.State, "the administration socket a gone process left behind cannot be removed").Because(err)
	}
	return nil
}

// listener names the callers and bounds their number.
type listener struct {
	net.Listener
	slots chan struct{}
}

// Accept waits for a caller; one too many is hung up on.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &connection{Conn: c, remote: peerName(c), release: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			_ = c.Close()
		}
	}
}

// connection is one caller.
type connection struct {
	net.Conn
	remote  peer
	release func()
}

// RemoteAddr is who is at the other end.
func (c *connection) RemoteAddr() net.Addr { return c.remote }

// Close makes room for another caller.
func (c *connection) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// peer is the name of a caller, in the form of an address.
type peer string

// Network is the network's name.
func (peer) Network() string { return "unix" }

// String is the peer as principals name it.
func (p peer) String() string { return string(p) }

const uidPrefix = "uid:"

// peerName names the user at the other end; one the system does not tell is "unknown" and will be denied.
func peerName(c net.Conn) peer {
	uid, err := peerUID(c)
	if err != nil {
		return "unknown"
	}
	return peer(uidPrefix + strconv.FormatUint(uint64(uid), 10))
}

// uidOf reads what peerName wrote.
func uidOf(name string) (uint32, bool) {
	digits, ok := strings.CutPrefix(name, uidPrefix)
	uid, err := strconv.ParseUint(digits, 10, 32)
	return uint32(uid), ok && err == nil
}

// ownerOrRoot admits the user of this process and root.
func ownerOrRoot(uid uint32) bool { return uid == 0 || int64(uid) == int64(os.Geteuid()) }
