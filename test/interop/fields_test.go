package interop

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mojaloop/cpm/internal/core"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/cpmtest"
	"github.com/mojaloop/cpm/internal/keys"
)

// fieldsByNode runs the document's steps with Node's cryptography. No package is needed for that.
func fieldsByNode(t *testing.T, question map[string]any) (answer encryptedBody) {
	t.Helper()
	text, err := json.Marshal(question)
	fatal(t, err)
	command := exec.CommandContext(t.Context(), "node", "fields.js")
	command.Dir, command.Stdin = "node", bytes.NewReader(text)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.Bytes())
	}
	fatal(t, json.Unmarshal(out, &answer))
	return answer
}

type encryptedBody struct {
	Header, Body string
	Headers      map[string]string
	Fields       []string
}

const bodyOfFields = `{"payee":{"partyIdInfo":{"partyIdentifier":"15295558888"}},"payer":{"name":"Zoë \"B\"","list":[1,{"a":"b"}]},"note":"","amount":{"amount":"150"}}`

var fieldsOfBody = []string{"payer", "payee.partyIdInfo.partyIdentifier", "note", "amount.amount"}

func startFields(t *testing.T, private []byte) (*cpmtest.CPM, *http.Client) {
	t.Helper()
	fsps := []core.FSPEntry{{Name: "payeefsp"}}
	grants := cpmtest.Grants(cpmtest.Client, nil)
	grants = append(grants, core.GrantEntry{Principal: grants[0].Principal, FSP: "payeefsp", Operations: []string{string(cpm.JWEDecrypt)}})
	m := cpmtest.Start(t, cpmtest.Config{Document: core.Document{
		FSPs: fsps, Grants: grants,
		Adapters: []core.AdapterEntry{{Name: "ssm1", Kind: "ssm", Operations: []cpm.Operation{cpm.JWEEncrypt, cpm.JWEDecrypt}}},
		Routes:   []core.RouteEntry{{FSP: "*", Operation: "*", Adapter: "ssm1", Timeout: core.Duration(30 * time.Second)}},
	}})
	m.AddKey(keys.Addition{FSP: "payeefsp", Name: "enc", Use: cpm.UseEncryption}, private)
	return m, m.HTTP(cpmtest.Client)
}

// There is no Mojaloop library for field encryption, so both sides are held against the document, in both directions.
func TestFieldsAgainstNodesCryptography(t *testing.T) {
	for _, bits := range []int{2048, 3072} {
		pair, err := rsa.GenerateKey(rand.Reader, bits)
		fatal(t, err)
		pkcs8, err := x509.MarshalPKCS8PrivateKey(pair)
		fatal(t, err)
		private := text("PRIVATE KEY", pkcs8)
		m, client := startFields(t, []byte(private))
		for _, enc := range []string{"A128GCM", "A192GCM", "A256GCM"} {
			var ours encryptedBody
			call(t, client, m.URL("/v1/fsps/payeefsp/jwe/encrypt"), map[string]any{"fields": fieldsOfBody, "body": bodyOfFields, "encryption": enc}, &ours)
			theirs := fieldsByNode(t, map[string]any{"op": "decrypt", "key": private, "header": ours.Headers["fspiop-encryption"], "body": ours.Body})
			if diff := cmp.Diff(parsed(t, bodyOfFields), parsed(t, theirs.Body)); diff != "" {
				t.Errorf("%d, %s: Node decrypts (-want +got):\n%s", bits, enc, diff)
			}
			for _, ivLength := range []int{12, 16} {
				theirs = fieldsByNode(t, map[string]any{
					"op": "encrypt", "key": public(t, pair), "fields": fieldsOfBody, "body": bodyOfFields, "enc": enc, "ivLength": ivLength,
				})
				var opened encryptedBody
				call(t, client, m.URL("/v1/fsps/payeefsp/jwe/decrypt"), map[string]any{
					"headers": map[string]string{"FSPIOP-Encryption": theirs.Header}, "body": theirs.Body,
				}, &opened)
				if diff := cmp.Diff(parsed(t, bodyOfFields), parsed(t, opened.Body)); diff != "" {
					t.Errorf("%d, %s, IV of %d: we decrypt (-want +got):\n%s", bits, enc, ivLength, diff)
				}
				if diff := cmp.Diff(fieldsOfBody, opened.Fields); diff != "" {
					t.Errorf("fields (-want +got):\n%s", diff)
				}
			}
		}
	}
}
