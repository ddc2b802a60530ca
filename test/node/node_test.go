// Package node runs the suite of the Node SDK (sdk/node) against a running CPM.
package node

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
	"github.com/mojaloop/cpm/internal/route"
)

// update writes the generated files of the SDK anew: go test ./test/node -run Generated -update.
var update = flag.Bool("update", false, "write the generated files of the SDK")

const sdk = "../../sdk/node"

// fewest is the number of tests the suite has at least.
const fewest = 90

// ilpSecret is payeefsp's, as the reference library takes it.
const ilpSecret = "a secret of the test"

// stranger is the name in a certificate that has no grants.
const stranger = "stranger.example"

// TestSDK builds the SDK and runs its suite with node:test. What the suite needs of the CPM it learns from a variable.
func TestSDK(t *testing.T) {
	build(t)
	world, err := json.Marshal(start(t))
	fatal(t, err)
	suite, err := filepath.Glob(filepath.Join(sdk, "test", "*.test.js"))
	fatal(t, err)
	arguments := []string{"--test", "--test-reporter=spec"}
	for _, file := range suite {
		arguments = append(arguments, filepath.Join("test", filepath.Base(file)))
	}
	out := node(t, nil, []string{"CPM_TEST_WORLD=" + string(world)}, arguments...)
	t.Log(out)
	// A file whose loading fails would not always count as a failed test.
	passed := regexp.MustCompile(`(?m)^. pass (\d+)$`).FindStringSubmatch(out)
	if passed == nil {
		t.Fatal("the suite does not say how many tests passed")
	}
	if n, err := strconv.Atoi(passed[1]); err != nil || n < fewest {
		t.Errorf("%s tests passed, there are %d at least", passed[1], fewest)
	}
}

// TestGeneratedFilesAreCurrent compares the messages and operations of the SDK with what the CPM of this commit describes.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	w := start(t)
	response, err := w.cpm.HTTP(cpmtest.Client).Get(w.URL + "/openapi.json")
	fatal(t, err)
	document, err := io.ReadAll(response.Body)
	fatal(t, err)
	fatal(t, response.Body.Close())
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", response.StatusCode, document)
	}
	checkedIn := filepath.Join(sdk, "src")
	if *update {
		node(t, document, nil, "scripts/generate.js")
		return
	}
	fresh := t.TempDir()
	node(t, document, nil, "scripts/generate.js", "--out", fresh)
	for _, name := range []string{"messages.ts", "operations.ts"} {
		want, err := os.ReadFile(filepath.Join(fresh, name))
		fatal(t, err)
		got, err := os.ReadFile(filepath.Join(checkedIn, name))
		fatal(t, err)
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("sdk/node/src/%s is not current; run: go test ./test/node -run Generated -update\n%s", name, diff)
		}
	}
}

// world is what the suite knows of the CPM. Paths are absolute.
type world struct {
	URL string `json:"url"`
	// CA, Cert and Key are files of a caller that may do everything; Stranger are those of one that may do nothing.
	CA       string            `json:"ca"`
	Cert     string            `json:"cert"`
	Key      string            `json:"key"`
	Stranger map[string]string `json:"stranger"`
	// Keys is a directory with the halves of each FSP's signing key, NAME.key and NAME.pem, for the reference library.
	Keys string `json:"keys"`
	// ILPSecret is payeefsp's.
	ILPSecret string `json:"ilpSecret"`
	// Reference is where the generations of the reference library are installed.
	Reference string `json:"reference"`
	// Operations are the names of all the CPM performs.
	Operations []string `json:"operations"`

	cpm *cpmtest.CPM
}

// start starts a CPM that performs every operation for two FSPs and the hub.
func start(t *testing.T) world {
	t.Helper()
	performed, document := everything()
	m := cpmtest.Start(t, cpmtest.Config{Document: document})
	dir := t.TempDir()
	w := world{
		URL: m.URL(""), cpm: m, Operations: performed,
		CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "client.pem"), Key: filepath.Join(dir, "client.key"),
		Stranger: map[string]string{"cert": filepath.Join(dir, "stranger.pem"), "key": filepath.Join(dir, "stranger.key")},
		Keys:     filepath.Join(dir, "keys"), ILPSecret: ilpSecret,
	}
	fatal(t, os.Mkdir(w.Keys, 0o700))
	var err error
	w.Reference, err = filepath.Abs("../interop/node/node_modules")
	fatal(t, err)
	fatal(t, m.Authority.Write(dir, "ca"))
	for file, name := range map[string]string{"client": cpmtest.Client, "stranger": stranger} {
		leaf, err := m.Authority.Issue(time.Now(), file, name)
		fatal(t, err)
		fatal(t, leaf.Write(dir, file))
	}
	w.addKeys(t)
	return w
}

// everything is the configuration, and the names of the operations in it.
func everything() ([]string, core.Document) {
	var operations []cpm.Operation
	var names, byName []string
	for _, row := range cpm.Operations() {
		names = append(names, string(row.Operation))
		if !row.Planned {
			operations = append(operations, row.Operation)
		}
		if row.ByName() {
			byName = append(byName, string(row.Operation))
		}
	}
	d := core.Document{
		FSPs: []core.FSPEntry{{Name: "payerfsp"}, {Name: "Hub"}, {Name: "payeefsp", Policy: core.Policy{
			Encryption: core.Encryption{Send: []core.EncryptionRule{{Resource: "transfers", Fields: []string{"extensionList"}}}},
		}}},
		Adapters: []core.AdapterEntry{{Name: "ssm1", Kind: route.KindSSM, Operations: operations}},
	}
	who := cpm.Principal{Kind: cpm.PrincipalCertificate, Name: cpmtest.Client}.String()
	d.Grants = []core.GrantEntry{{Principal: who, FSP: route.Any, Operations: []string{route.Any}}}
	for _, f := range d.FSPs {
		d.Grants = append(d.Grants, core.GrantEntry{Principal: who, FSP: f.Name, Operations: byName})
	}
	return names, d
}

// addKeys gives every FSP a key whose halves the reference library has too, as it wants them written.
func (w world) addKeys(t *testing.T) {
	t.Helper()
	for _, fsp := range []string{"payerfsp", "Hub"} {
		pair, err := rsa.GenerateKey(rand.Reader, 2048)
		fatal(t, err)
		w.addKey(t, fsp, cpm.UseSignature, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(pair)}, pair)
	}
	for fsp, use := range map[string]cpm.KeyUse{"payeefsp": cpm.UseSignature, "payerfsp": cpm.UseDataSignature} {
		pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		fatal(t, err)
		der, err := x509.MarshalECPrivateKey(pair)
		fatal(t, err)
		w.addKey(t, fsp, use, &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}, pair)
	}
	w.cpm.AddKey(keys.Addition{FSP: "payeefsp", Name: "ilp", Use: cpm.UseILP, Symmetric: true}, []byte(ilpSecret))
	for _, k := range []keys.Addition{
		{Name: "enc", Use: cpm.UseEncryption, Generate: "RSA-OAEP-256"},
		{Name: "data", Use: cpm.UseDataEncryption, Generate: "A256GCM"},
		{Name: "mac", Use: cpm.UseMAC, Generate: "HS256"},
		{Name: "wrap", Use: cpm.UseWrap, Generate: "A256KWP"},
	} {
		k.FSP = "payerfsp"
		w.cpm.AddKey(k, nil)
	}
}

// addKey gives an FSP a key, whose halves go into files with the name of the FSP, and of the use unless it is for messages.
func (w world) addKey(t *testing.T, fsp string, use cpm.KeyUse, private *pem.Block, pair crypto.Signer) {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(pair.Public())
	fatal(t, err)
	file, name := filepath.Join(w.Keys, fsp), "jws"
	if use != cpm.UseSignature {
		file, name = file+"-"+string(use), string(use)
	}
	fatal(t, os.WriteFile(file+".key", pem.EncodeToMemory(private), 0o600))
	fatal(t, os.WriteFile(file+".pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600))
	w.cpm.AddKey(keys.Addition{FSP: cpm.FSP(fsp), Name: name, Use: use}, pem.EncodeToMemory(private))
}

func build(t *testing.T) {
	t.Helper()
	fatal(t, os.RemoveAll(filepath.Join(sdk, "dist")))
	node(t, nil, nil, "node_modules/typescript/bin/tsc", "-p", "tsconfig.json")
}

// node runs a program in the SDK's directory and gives what it prints; its failure is the test's.
func node(t *testing.T, stdin []byte, environment []string, args ...string) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(sdk, "node_modules")); err != nil {
		t.Fatal("the Node packages are not installed; run: bash scripts/node.sh")
	}
	command := exec.CommandContext(t.Context(), "node", args...)
	command.Dir, command.Env, command.Stdin = sdk, append(os.Environ(), environment...), bytes.NewReader(stdin)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("node %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
