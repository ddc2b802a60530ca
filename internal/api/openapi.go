package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	cpmv1 "github.com/mojaloop/cpm/gen/cpm/v1"
	"github.com/mojaloop/cpm/internal/cpm"
	"github.com/mojaloop/cpm/internal/fault"
)

// object is a JSON object of the document; encoding/json writes its members in order of their names.
type object = map[string]any

// document writes the OpenAPI description of the JSON port out of the descriptors, the registry and the table of faults.
type document struct {
	limits  *Limits
	schemas object
}

// newDocument gives the OpenAPI 3.1 document of the JSON port.
func newDocument(o operations, l *Limits) []byte {
	d := &document{limits: l, schemas: object{}}
	paths := object{
		pathProcess:  d.post("process", "Perform one operation named in the body.", nil, new(cpmv1.ProcessRequest), new(cpmv1.ProcessResponse)),
		pathBatch:    d.post("batch", "Perform many operations; each has its own result or error, in the order asked.", nil, new(cpmv1.BatchRequest), new(cpmv1.BatchResponse)),
		pathDocument: object{"get": getDocument()},
		pathHubKeys:  object{"get": d.getKeys("hubKeys", "Public keys of the hub as a JWK Set (RFC 7517).", mediaJWKSet, nil)},
	}
	fsp := object{
		"name": "fsp", "in": "path", "required": true, "description": "FSP the operation is done for.",
		"schema": object{"type": "string", "minLength": 1, "maxLength": 128},
	}
	for _, op := range o.rows {
		path := pathFSPs + "{fsp}/" + op.Operation.Path()
		paths[path] = d.post(op.Operation.Member(), summary(op.Operation), []any{fsp}, op.NewRequest(), op.NewResponse())
	}
	d.addAliases(paths, []any{fsp})
	d.addKeys(paths, fsp)
	out, err := json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "CPM Mojaloop port", "version": "1",
			"description": "Cryptographic operations for the participants of a Mojaloop scheme.",
		},
		"paths":      paths,
		"components": object{"schemas": d.schemas, "securitySchemes": object{"certificate": object{"type": "mutualTLS"}}},
		"security":   []any{object{"certificate": []any{}}},
	})
	if err != nil {
		panic(err) // maps, lists, texts and numbers can always be written
	}
	return out
}

// summary says what an operation is for.
func summary(op cpm.Operation) string {
	texts := map[cpm.Operation]string{
		cpm.JWSSign:   "Sign a message: gives the FSPIOP-Signature header and the exact body to send.",
		cpm.JWSVerify: "Verify the FSPIOP-Signature of a message as received. A signature that does not verify is an answer.",

		cpm.JWEEncrypt: "Encrypt fields of a body for the FSP, the recipient: gives the FSPIOP-Encryption header and the body.",
		cpm.JWEDecrypt: "Decrypt the encrypted fields of a message the FSP received: all of them, or none.",

		cpm.MessageProtect: "Encrypt fields as the FSP's policy says, and sign: gives the headers and the exact body to send.",
		cpm.MessageOpen:    "Verify a received message and decrypt its fields. A signature that does not verify is an answer.",

		cpm.ILPFulfil: "Make the ILP packet, condition and fulfilment of a transfer, or compute them again from a packet.",
		cpm.ILPVerify: "Say whether a fulfilment fits a condition.",
		cpm.ILPDecode: "Say what an ILP packet contains, and whether a transfer agrees with it.",

		cpm.Sign:      "Sign data or a digest.",
		cpm.Verify:    "Verify a signature over data or a digest. One that does not verify is an answer.",
		cpm.Encrypt:   "Encrypt and authenticate data.",
		cpm.Decrypt:   "Decrypt data.",
		cpm.Rewrap:    "Put a ciphertext under the current version of its key.",
		cpm.MAC:       "Make a message authentication code.",
		cpm.MACVerify: "Verify a message authentication code. One that does not verify is an answer.",
		cpm.Wrap:      "Wrap key material of the caller.",
		cpm.Unwrap:    "Unwrap key material of the caller.",
		cpm.Datakey:   "Make a new key for the caller, in clear and encrypted.",
		cpm.Digest:    "Hash data.",
		cpm.Random:    "Give random bytes.",
	}
	if text, ok := texts[op]; ok {
		return text
	}
	return "Operation " + string(op) + "."
}

// post describes a path that takes and gives a message.
func (d *document) post(id, text string, parameters []any, in, out protoreflect.ProtoMessage) object {
	post := object{
		"operationId": id, "summary": text,
		"requestBody": object{"required": true, "content": d.content(in, true)},
		"responses":   d.responses(d.content(out, false)),
	}
	if parameters != nil {
		post["parameters"] = parameters
	}
	return object{"post": post}
}

func getDocument() object {
	return object{
		"operationId": "openapi", "summary": "This document.",
		"responses": object{"200": object{
			"description": "The OpenAPI document.",
			"content":     object{"application/json": object{"schema": object{"type": "object"}}},
		}},
	}
}

func (d *document) content(m protoreflect.ProtoMessage, request bool) object {
	return object{"application/json": object{"schema": d.reference(m.ProtoReflect().Descriptor(), request)}}
}

// responses are the answer and, for each HTTP status, the faults that have it.
func (d *document) responses(ok object) object {
	header := object{"X-Request-Id": object{
		"description": "The id under which the log knows this request.", "schema": object{"type": "string"},
	}}
	texts := map[int][]string{http.StatusMethodNotAllowed: {"another method (3000 Generic client error)"}}
	for _, k := range fault.Kinds() {
		c := k.Code()
		texts[c.HTTP] = append(texts[c.HTTP], c.Name+" ("+c.FSPIOP+" "+c.Title+")")
	}
	out := object{"200": object{"description": "The result.", "headers": header, "content": ok}}
	for status, kinds := range texts {
		slices.Sort(kinds)
		out[strconv.Itoa(status)] = object{
			"description": "Declined: " + strings.Join(kinds, ", ") + ".",
			"headers":     header, "content": d.content(new(cpmv1.Error), false),
		}
	}
	return out
}

// reference makes sure that the schema of a message is there, and refers to it.
func (d *document) reference(m protoreflect.MessageDescriptor, request bool) object {
	name := string(m.Name())
	if _, ok := d.schemas[name]; !ok {
		d.schemas[name] = nil // so that a message that contains itself ends
		d.schemas[name] = d.schema(m, request)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// schema describes a message. Requests are closed: an unknown member is declined.
func (d *document) schema(m protoreflect.MessageDescriptor, request bool) object {
	properties := object{}
	var required []any
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		properties[f.JSONName()] = d.property(f, request)
		if f.Name() == "fsp" || f.Name() == "items" {
			required = append(required, f.JSONName())
		}
	}
	s := object{"type": "object", "properties": properties}
	if request {
		s["additionalProperties"] = false
	}
	if required != nil {
		s["required"] = required
	}
	var rules []any
	for i := range m.Oneofs().Len() {
		if o := m.Oneofs().Get(i); !o.IsSynthetic() {
			rules = append(rules, oneOf(o))
		}
	}
	if rules != nil {
		s["allOf"] = rules
	}
	return s
}

// oneOf says that at most one member of a group is there; a group of messages, which tells operations or results apart,
// always has one.
func oneOf(o protoreflect.OneofDescriptor) object {
	var one []any
	always := true
	for i := range o.Fields().Len() {
		f := o.Fields().Get(i)
		one = append(one, object{"required": []any{f.JSONName()}})
		always = always && f.Kind() == protoreflect.MessageKind
	}
	if !always {
		one = append(one, object{"not": object{"anyOf": slices.Clone(one)}})
	}
	return object{"oneOf": one}
}

func (d *document) property(f protoreflect.FieldDescriptor, request bool) object {
	switch {
	case f.IsMap():
		return object{"type": "object", "additionalProperties": object{"type": "string"}, "maxProperties": d.limits.Headers}
	case f.IsList():
		s := object{"type": "array", "items": d.value(f, request)}
		if request {
			s["minItems"], s["maxItems"] = 1, d.limits.Headers
			if f.Kind() == protoreflect.MessageKind {
				s["maxItems"] = d.limits.BatchItems
			}
		}
		return s
	default:
		return d.value(f, request)
	}
}

// value describes one value by the JSON mapping of Protocol Buffers.
func (d *document) value(f protoreflect.FieldDescriptor, request bool) object {
	switch kindOf(f) {
	case someBytes:
		return object{"type": "string", "format": "byte", "contentEncoding": "base64"}
	case aBool:
		return object{"type": "boolean"}
	case aUint32:
		return object{"type": "integer", "minimum": 0, "maximum": int64(1)<<32 - 1}
	case aUint64:
		return object{"type": "string", "format": "uint64", "pattern": "^[0-9]+$"}
	case aMessage:
		return d.reference(f.Message(), request)
	default:
		return object{"type": "string"}
	}
}
