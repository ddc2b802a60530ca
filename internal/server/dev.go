package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/mojaloop/cpm/internal/config"
	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/obs"
	"github.com/mojaloop/cpm/internal/route"
)

// DevPort is the JSON port of `cpm dev` where nothing else is asked for, and where the command line looks for it.
const DevPort = 7800

// DevOptions are what `cpm dev` is told.
type DevOptions struct {
	DataDir string
	// PortBase is the JSON port; gRPC is the next one, then the command and the key update port; probes and
	// metrics are 30 further.
	PortBase int
	Version  string
	// Out takes the tour, Log the log.
	Out, Log io.Writer
}

// The FSPs of `cpm dev`.
const (
	devPayer = "payerfsp"
	devPayee = "payeefsp"
	devHub   = "Hub"
)

// Dev runs a whole CPM for trying out: one process, SQLite and an authority of its own in DataDir, demo FSPs with keys,
// loopback only, plain HTTP beside TLS. When it is Active it shows the main job on Out.
func Dev(ctx context.Context, o DevOptions) error {
	c, err := devConfig(o)
	if err != nil {
		return err
	}
	if err := devFiles(c); err != nil {
		return err
	}
	if err := offline(ctx, c, seed); err != nil {
		return err
	}
	shown := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = Run(ctx, c, Options{Version: o.Version, Out: o.Log, Ready: func(a Addresses) {
		go func() {
			err := tour(ctx, o.Out, c, a)
			if err != nil {
				cancel()
			}
			shown <- err
		}()
	}})
	select {
	case tourError := <-shown:
		return errors.Join(tourError, err)
	default:
		return err
	}
}

func devConfig(o DevOptions) (*config.Config, error) {
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, err
	}
	pki := filepath.Join(dir, "pki")
	c := config.Default()
	c.DataDir, c.Dev = dir, true
	c.Listen.MojaloopHTTP = fmt.Sprintf("127.0.0.1:%d", o.PortBase)
	c.Listen.MojaloopGRPC = fmt.Sprintf("127.0.0.1:%d", o.PortBase+1)
	c.Listen.Command = fmt.Sprintf("127.0.0.1:%d", o.PortBase+2)
	c.Listen.KeyUpdate = fmt.Sprintf("127.0.0.1:%d", o.PortBase+3)
	c.Listen.Probes = fmt.Sprintf("127.0.0.1:%d", o.PortBase+30)
	c.TLS = config.TLS{
		Cert: filepath.Join(pki, "server.pem"), Key: filepath.Join(pki, "server.key"), ClientCA: filepath.Join(pki, "ca.pem"),
	}
	c.DrainTimeout = 5 * time.Second
	c.Metrics.FSPLabel = true
	c.Complete()
	return &c, c.Validate()
}

// seed gives a new database the demo configuration and keys. What is there already stays.
func seed(ctx context.Context, c *core.Core) error {
	if len(c.FSPs()) > 0 {
		return nil
	}
	document, err := json.Marshal(devDocument())
	if err != nil {
		return err
	}
	if err := devChange(ctx, c, "config.apply", "", document); err != nil {
		return err
	}
	for _, k := range []keys.Addition{
		{FSP: devPayer, Name: "jws", Use: cpm.UseSignature, Generate: "RS256"},
		{FSP: devPayer, Name: "jws-ec", Use: cpm.UseSignature, Generate: "ES256"},
		{FSP: devPayee, Name: "jws", Use: cpm.UseSignature, Generate: "RS256"},
		{FSP: devHub, Name: "jws", Use: cpm.UseSignature, Generate: "RS256"},
		{FSP: devPayer, Name: "enc", Use: cpm.UseEncryption, Generate: keys.RSAOAEP256},
		{FSP: devPayee, Name: "enc", Use: cpm.UseEncryption, Generate: keys.RSAOAEP256},
		{FSP: devHub, Name: "enc", Use: cpm.UseEncryption, Generate: keys.RSAOAEP256},
		{FSP: devPayer, Name: "ilp", Use: cpm.UseILP, Generate: "HS256"},
		{FSP: devPayee, Name: "ilp", Use: cpm.UseILP, Generate: "HS256"},
		{FSP: devHub, Name: "ilp", Use: cpm.UseILP, Generate: "HS256"},
		{FSP: devPayer, Name: "data", Use: cpm.UseDataEncryption, Generate: "A256GCM"},
		{FSP: devPayer, Name: "data-sig", Use: cpm.UseDataSignature, Generate: "ES256"},
		{FSP: devPayer, Name: "mac", Use: cpm.UseMAC, Generate: "HS256"},
		{FSP: devPayer, Name: "wrap", Use: cpm.UseWrap, Generate: "A256KWP"},
	} {
		document, err := json.Marshal(k)
		if err != nil {
			return err
		}
		if err := devChange(ctx, c, "key.add", string(k.FSP)+"/"+k.Name, document); err != nil {
			return err
		}
	}
	return nil
}

func devChange(ctx context.Context, c *core.Core, action, target string, document []byte) error {
	_, err := c.Apply(ctx, cpm.Principal{Kind: cpm.PrincipalSystem, Name: "dev"}, core.Change{
		Action: action, Target: target, Document: document, RequestID: obs.NewRequestID(),
	})
	return err
}

// devDocument routes everything to one software adapter and lets the local caller do everything for the demo FSPs.
func devDocument() core.Document {
	var performed []cpm.Operation
	var byName []string
	for _, row := range cpm.Operations() {
		if !row.Planned && !row.HardwareOnly {
			performed = append(performed, row.Operation)
		}
		if row.ByName() {
			byName = append(byName, string(row.Operation))
		}
	}
	d := core.Document{
		Settings: map[string]json.RawMessage{"commonName": json.RawMessage(`"cpm-dev"`)},
		Adapters: []core.AdapterEntry{{Name: "ssm1", Kind: route.KindSSM, Operations: performed}},
		Routes:   []core.RouteEntry{{FSP: route.Any, Operation: route.Any, Adapter: "ssm1"}},
	}
	for _, f := range []string{devPayer, devPayee, devHub} {
		entry := core.FSPEntry{Name: f}
		if f == devPayer {
			entry.Policy.Encryption.Send = []core.EncryptionRule{{
				Resource: "quotes", Methods: []string{"POST"}, Peers: []string{devPayee}, Fields: []string{"payer", "payee.partyIdInfo.partyIdentifier"},
			}}
		}
		d.FSPs = append(d.FSPs, entry)
		for _, principal := range devPrincipals() {
			d.Grants = append(d.Grants, core.GrantEntry{Principal: principal, FSP: f, Operations: byName})
		}
	}
	for _, principal := range devPrincipals() {
		d.Grants = append(d.Grants, core.GrantEntry{Principal: principal, FSP: route.Any, Operations: []string{route.Any}})
	}
	return d
}

// devPrincipals are the caller over plain HTTP and the holder of the client certificate.
func devPrincipals() []string {
	return []string{
		cpm.Principal{Kind: cpm.PrincipalLoopback, Name: "dev"}.String(),
		cpm.Principal{Kind: cpm.PrincipalCertificate, Name: devClient}.String(),
	}
}
