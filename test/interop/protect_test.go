package interop

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/pki"
)

// sealed are the fields that are encrypted of each resource: objects, arrays, and texts inside objects.
func sealed() []core.EncryptionRule {
	return []core.EncryptionRule{
		{Resource: "quotes", Methods: []string{"POST"}, Fields: []string{"payer", "payee.partyIdInfo.partyIdentifier", "note", "extensionList.extension"}, Peers: []string{"payeefsp"}},
		{Resource: "quotes", Methods: []string{"PUT"}, Fields: []string{"payeeFspFee", "payeeReceiveAmount.amount", "ilpPacket"}, Algorithm: "A128GCM"},
		{Resource: "transfers", Fields: []string{"amount.amount", "ilpPacket", "fulfilment"}, Peers: []string{"*"}},
		{Resource: "parties", Fields: []string{"party.personalInfo", "party.partyIdInfo.partyIdentifier"}, Algorithm: "A192GCM"},
		{Resource: "parties", Fields: []string{"party.personalInfo.complexName.firstName", "party.name"}},
		{Resource: "fxQuotes", Fields: []string{"conversionTerms.sourceAmount.amount", "conversionTerms.extensionList", "conversionTerms.charges"}},
		{Resource: "fxTransfers", Fields: []string{"sourceAmount", "targetAmount.amount", "fulfilment"}},
	}
}

// sealedMessages are the samples that the rules are for, by name, with the fields that are encrypted of each.
var sealedMessages = map[string][]string{
	"quote request, schema order":                {"note", "payee.partyIdInfo.partyIdentifier", "payer"},
	"quote request, no date":                     {"note", "payee.partyIdInfo.partyIdentifier", "payer"},
	"quote request with geo code and extensions": {"extensionList.extension", "note", "payee.partyIdInfo.partyIdentifier", "payer"},
	"quote answer":                               {"ilpPacket", "payeeFspFee", "payeeReceiveAmount.amount"},
	"transfer request":                           {"amount.amount", "ilpPacket"},
	"transfer fulfilment":                        {"fulfilment"},
	"party answer":                               {"party.name", "party.partyIdInfo.partyIdentifier", "party.personalInfo"},
	"party answer with sub-id":                   {"party.partyIdInfo.partyIdentifier"},
	"fx quote request":                           {"conversionTerms.extensionList", "conversionTerms.sourceAmount.amount"},
	"fx quote answer":                            {"conversionTerms.charges", "conversionTerms.extensionList", "conversionTerms.sourceAmount.amount"},
	"fx transfer request":                        {"sourceAmount", "targetAmount.amount"},
	"fx transfer fulfilment":                     {"fulfilment"},
}

// The operations of each adapter.
var mandates = map[string][]cpm.Operation{
	"signer": {cpm.JWSSign, cpm.JWSVerify},
	"sealer": {cpm.JWEEncrypt, cpm.JWEDecrypt},
}

// TestProtectedMessagesPassNode encrypts fields and signs at two adapters, which are processes of their own, has each
// generation of the library validate what is sent, and opens it at the recipient.
func TestProtectedMessagesPassNode(t *testing.T) {
	node := startPeer(t)
	pairs := newKeys(t)
	m, publics := startApart(t, pairs)
	client := m.HTTP(cpmtest.Client)
	done := 0
	for _, s := range messages(t) {
		fields, wanted := sealedMessages[s.Name]
		if !wanted {
			continue
		}
		p := protect(t, m, client, s)
		if diff := cmp.Diff(fields, p.Fields); diff != "" {
			t.Errorf("%s: encrypted fields (-want +got):\n%s", s.Name, diff)
		}
		headers := maps.Clone(s.Headers)
		maps.Copy(headers, p.Headers)
		hidden(t, s, fields, p.Body)
		for _, g := range slices.Sorted(maps.Keys(generations)) {
			if valid, why := node.verify(t, g, publics, headers, p.Body); !valid {
				t.Errorf("%s: generation %s refuses the protected message: %s", s.Name, g, why)
			}
			if valid, _ := node.verify(t, g, publics, headers, s.BodyText); valid {
				t.Errorf("%s: generation %s accepts the message in clear", s.Name, g)
			}
		}
		opened := open(t, m, client, s, headers, p.Body)
		if !opened.Valid || opened.Form != "raw" {
			t.Errorf("%s: not opened: %+v", s.Name, opened)
		}
		if diff := cmp.Diff(parsed(t, s.BodyText), parsed(t, opened.Body)); diff != "" {
			t.Errorf("%s: opened (-want +got):\n%s", s.Name, diff)
		}
		if refused := open(t, m, client, s, headers, strings.Replace(p.Body, `":"`, `":"x`, 1)); refused.Valid || refused.Reason != "signature-mismatch" || refused.Body != "" {
			t.Errorf("%s: a changed message: %+v", s.Name, refused)
		}
		done++
	}
	if done != len(sealedMessages) {
		t.Errorf("%d messages, %d are wanted", done, len(sealedMessages))
	}
	apart(t, m, uint64(done))
}

// protected is what message.protect and message.open answer.
type protected struct {
	Valid                   bool
	Form, Reason, Algorithm string
	Headers                 map[string]string
	Body                    string
	Fields                  []string
}

func protect(t *testing.T, m *cpmtest.CPM, client *http.Client, s message) (p protected) {
	t.Helper()
	call(t, client, m.URL("/v1/fsps/"+s.Headers["fspiop-source"]+"/message/protect"), map[string]any{
		"method": s.Method, "uri": s.URI, "headers": s.Headers, "body": s.BodyText,
	}, &p)
	return p
}

func open(t *testing.T, m *cpmtest.CPM, client *http.Client, s message, headers map[string]string, body string) (p protected) {
	t.Helper()
	call(t, client, m.URL("/v1/fsps/"+s.Headers["fspiop-destination"]+"/message/open"), map[string]any{
		"method": s.Method, "uri": s.URI, "headers": headers, "body": body,
	}, &p)
	return p
}

// hidden checks that every field is text of base64url where its value was.
func hidden(t *testing.T, s message, fields []string, body string) {
	t.Helper()
	before, after := parsed(t, s.BodyText), parsed(t, body)
	for _, f := range fields {
		was, is := at(before, f), at(after, f)
		text, isText := is.(string)
		if !isText || text == "" || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" || cmp.Equal(was, is) {
			t.Errorf("%s: %s is %v", s.Name, f, is)
		}
	}
}

func parsed(t *testing.T, text string) (v any) {
	t.Helper()
	fatal(t, json.Unmarshal([]byte(text), &v))
	return v
}

func at(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		v = v.(map[string]any)[name]
	}
	return v
}

// apart checks, by the counters of the core and by those each adapter keeps itself, that each did its own steps only: n messages
// were protected, opened, and opened once more with another body, which got no further than its signature.
func apart(t *testing.T, m *cpmtest.CPM, n uint64) {
	t.Helper()
	status, err := m.Admin.Status(t.Context())
	fatal(t, err)
	counted := map[string]map[string]uint64{}
	for _, c := range status.Counts {
		if counted[c.Operation] == nil {
			counted[c.Operation] = map[string]uint64{}
		}
		counted[c.Operation][c.Adapter] += c.Success + c.Failed
	}
	want := map[string]map[string]uint64{
		"message.protect": {"": n}, "message.open": {"": 2 * n}, "jws.sign": {"signer": n}, "jws.verify": {"signer": 2 * n},
		"jwe.encrypt": {"sealer": n}, "jwe.decrypt": {"sealer": n},
	}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("counted by the core (-want +got):\n%s", diff)
	}
	own := map[string]map[string]uint64{}
	for _, a := range status.Adapters {
		own[a.Name] = map[string]uint64{}
		for _, c := range a.Own {
			own[a.Name][c.Name] += c.Success + c.Failed + c.Invalid
		}
	}
	want = map[string]map[string]uint64{
		"signer": {"jws.sign": n, "jws.verify": 2 * n}, "sealer": {"jwe.encrypt": n, "jwe.decrypt": n},
	}
	if diff := cmp.Diff(want, own); diff != "" {
		t.Errorf("counted by the adapters themselves (-want +got):\n%s", diff)
	}
}

// startApart starts a CPM whose two adapters are processes of their own. It gives the public keys of signatures by FSP.
func startApart(t *testing.T, pairs []key) (*cpmtest.CPM, map[string]string) {
	t.Helper()
	fsps := []string{"payerfsp", "payeefsp", "fxp1"}
	authority, err := pki.NewAuthority(time.Now(), "test authority")
	fatal(t, err)
	dir, binary := t.TempDir(), program(t)
	fatal(t, authority.Write(dir, "ca"))
	document := core.Document{}
	for _, name := range slices.Sorted(maps.Keys(mandates)) {
		address := runAdapter(t, authority, binary, dir, name)
		document.Adapters = append(document.Adapters, core.AdapterEntry{
			Name: name, Kind: "ssm", Launch: "external", Identity: name + ".example", Endpoints: []string{address}, Operations: mandates[name],
		})
		for _, o := range mandates[name] {
			document.Routes = append(document.Routes, core.RouteEntry{FSP: "*", Operation: string(o), Adapter: name, Timeout: core.Duration(deadline)})
		}
	}
	who := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: cpmtest.Client}.String()
	document.Grants = []core.GrantEntry{{Principal: who, FSP: "*", Operations: []string{"jws.verify", "jwe.encrypt"}}}
	for _, f := range fsps {
		document.FSPs = append(document.FSPs, core.FSPEntry{Name: f, Policy: core.Policy{Encryption: core.Encryption{Send: sealed()}}})
		document.Grants = append(document.Grants, core.GrantEntry{
			Principal: who, FSP: f, Operations: []string{"message.protect", "message.open", "jws.sign", "jwe.decrypt"},
		})
	}
	m := cpmtest.Start(t, cpmtest.Config{Document: document, Authority: authority})
	publics := map[string]string{}
	for i, f := range fsps {
		k := pairs[i%len(pairs)]
		publics[f] = k.public
		m.AddKey(keys.Addition{FSP: cpm.FSP(f), Name: "jws", Use: cpm.UseSignature}, []byte(k.private))
		m.AddKey(keys.Addition{FSP: cpm.FSP(f), Name: "enc", Use: cpm.UseEncryption, Generate: keys.RSAOAEP256}, nil)
	}
	linked(t, m)
	return m, publics
}

// program builds cpm as it is released.
func program(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "cpm")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", binary, "github.com/mojaloop/cpm/cmd/cpm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the program cannot be built: %v\n%s", err, out)
	}
	return binary
}

// runAdapter runs a software security module as a process of its own and gives its address.
func runAdapter(t *testing.T, authority *pki.Authority, binary, dir, name string) string {
	t.Helper()
	leaf, err := authority.Issue(time.Now(), name, name+".example")
	fatal(t, err)
	fatal(t, leaf.Write(dir, name))
	address := cpmtest.Reserve(t)
	command := exec.Command(binary, "adapter", "ssm", "--name", name, "--listen", address, "--core", "localhost",
		"--cert", filepath.Join(dir, name+".pem"), "--key", filepath.Join(dir, name+".key"), "--ca", filepath.Join(dir, "ca.pem"))
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	fatal(t, err)
	fatal(t, command.Start())
	active, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		watch(out, active)
		_ = command.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		<-ended
	})
	select {
	case <-active:
	case <-ended:
		t.Fatalf("the adapter %s ended at once", name)
	case <-time.After(deadline):
		t.Fatalf("the adapter %s is not Active", name)
	}
	return address
}

// watch reads an adapter's log and says when it is Active.
func watch(out io.Reader, active chan<- struct{}) {
	said := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !said && strings.Contains(lines.Text(), `"event":"adapter.active"`) {
			said = true
			close(active)
		}
	}
}

// linked waits until the core has its links.
func linked(t *testing.T, m *cpmtest.CPM) {
	t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(10 * time.Millisecond) {
		status, err := m.Admin.Status(t.Context())
		up := 0
		for _, a := range status.Adapters {
			if len(a.Endpoints) == 1 && a.Endpoints[0].Up {
				up++
			}
		}
		if err == nil && up == len(mandates) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d adapters are linked: %v\n%s", up, err, m.Log())
		}
	}
}
