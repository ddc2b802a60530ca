package api

import (
	"maps"
	"net/http"

	"github.com/mojaloop/cpm/internal/cpm"
)

// The media types of published keys (RFC 7517, section 8.5.2; PEM has none that is registered for a bare public key).
const (
	mediaJWKSet = "application/jwk-set+json"
	mediaPEM    = "application/x-pem-file"
)

// addAliases describes the other paths of operations.
func (d *document) addAliases(paths object, parameters []any) {
	rows := map[cpm.Operation]cpm.Row{}
	for _, row := range cpm.Operations() {
		rows[row.Operation] = row
	}
	for _, a := range aliases() {
		row := rows[a.operation]
		text := summary(a.operation) + " The same as " + a.operation.Path() + ", under its name in Mojaloop's reference architecture."
		paths[pathFSPs+"{fsp}/"+a.path] = d.post(row.Operation.Member()+"_alias", text, parameters, row.NewRequest(), row.NewResponse())
	}
}

// addKeys describes the paths of the keys of an FSP.
func (d *document) addKeys(paths object, fsp any) {
	name := object{
		"name": "name", "in": "path", "required": true, "description": "Name of the key.",
		"schema": object{"type": "string", "minLength": 1, "maxLength": 128},
	}
	paths[pathFSPs+"{fsp}/"+restKeys] = object{"get": d.getKeys("keys",
		"Public keys of the FSP that the caller may verify with or encrypt for, as a JWK Set (RFC 7517).", mediaJWKSet, []any{fsp})}
	paths[pathFSPs+"{fsp}/"+restKey+"{name}"+suffixPEM] = object{"get": d.getKeys("key",
		"Current public key of this name as PEM.", mediaPEM, []any{fsp, name})}
}

// getKeys describes a path that gives public keys.
func (d *document) getKeys(id, text, media string, parameters []any) object {
	schema := object{"type": "string"}
	if media == mediaJWKSet {
		d.schemas["JWKSet"], d.schemas["JWK"] = schemaOfSet(), schemaOfKey()
		schema = object{"$ref": "#/components/schemas/JWKSet"}
	}
	responses := d.responses(object{media: object{"schema": schema}})
	for name, description := range map[string]string{
		"ETag": "Give it in If-None-Match the next time.", "Cache-Control": "How long what is read may be used without asking again.",
	} {
		header := maps.Clone(responses["200"].(object)["headers"].(object)) //nolint:errcheck // responses has just made it
		header[name] = object{"description": description, "schema": object{"type": "string"}}
		responses["200"].(object)["headers"] = header //nolint:errcheck // the same
	}
	responses["304"] = object{"description": http.StatusText(http.StatusNotModified) + ": what the reader has is current."}
	match := object{
		"name": "If-None-Match", "in": "header", "required": false, "description": "ETag of what the reader has.", "schema": object{"type": "string"},
	}
	return object{"operationId": id, "summary": text, "parameters": append([]any{match}, parameters...), "responses": responses}
}

func schemaOfSet() object {
	return object{
		"type": "object", "required": []any{"keys"}, "description": "JWK Set (RFC 7517, section 5).",
		"properties": object{"keys": object{"type": "array", "items": object{"$ref": "#/components/schemas/JWK"}}},
	}
}

// schemaOfKey describes one public key.
func schemaOfKey() object {
	properties := object{}
	for name, description := range map[string]string{
		"kty": "RSA, EC or OKP.", "kid": "Thumbprint of the key (RFC 7638).", "use": "sig or enc.", "alg": "JOSE name of the algorithm.",
		"crv": "EC and OKP: the curve.", "x": "EC and OKP.", "y": "EC.", "n": "RSA: the modulus.", "e": "RSA: the exponent.",
	} {
		properties[name] = object{"type": "string", "description": description}
	}
	return object{
		"type": "object", "required": []any{"alg", "kid", "kty", "use"}, "properties": properties,
		"description": "Public key (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2).",
	}
}
