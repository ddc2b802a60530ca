package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
)

// edit changes one place of a message. A place is the names on the way to it, each after a slash; a text on the way that
// is JSON is taken apart and put together again, so that /headers/fspiop-signature/signature is a place too.
type edit struct {
	// Set puts To at the place, Delete takes the place out, Append adds the text To to its end.
	Set, Delete, Append string
	To                  any
	// Fill puts a text of Size bytes at the place, Nest one of Size lists in each other.
	Fill, Nest string
	Size       int
	// Spoil changes the base64url text at the place: "alphabet" has + and /, "bits" has bits behind the last byte.
	Spoil, How string
}

// apply makes the edit.
func (e edit) apply(m message) error {
	for _, way := range []struct {
		place string
		value func(old any) (any, error)
	}{
		{e.Set, func(any) (any, error) { return e.To, nil }},
		{e.Delete, func(any) (any, error) { return nil, nil }},
		{e.Append, func(old any) (any, error) { return fmt.Sprint(old, e.To), nil }},
		{e.Fill, func(any) (any, error) { return `"` + strings.Repeat("x", e.Size-2) + `"`, nil }},
		{e.Nest, func(any) (any, error) { return strings.Repeat("[", e.Size) + strings.Repeat("]", e.Size), nil }},
		{e.Spoil, func(old any) (any, error) { return spoil(old.(string), e.How) }},
	} {
		if way.place == "" {
			continue
		}
		names := strings.Split(strings.TrimPrefix(way.place, "/"), "/")
		return change(m, names, way.value)
	}
	return fmt.Errorf("an edit without a place: %+v", e)
}

// change gives the place below node a new value; nil takes it out.
func change(node map[string]any, names []string, value func(old any) (any, error)) error {
	name := names[0]
	old := node[name]
	if len(names) == 1 {
		fresh, err := value(old)
		if err != nil {
			return err
		}
		if node[name] = fresh; fresh == nil {
			delete(node, name)
		}
		return nil
	}
	switch inner := old.(type) {
	case map[string]any:
		return change(inner, names[1:], value)
	case string:
		var parts map[string]any
		if err := json.Unmarshal([]byte(inner), &parts); err != nil {
			return fmt.Errorf("%s cannot be taken apart: %w", name, err)
		}
		if err := change(parts, names[1:], value); err != nil {
			return err
		}
		text, err := json.Marshal(parts)
		node[name] = string(text)
		return err
	}
	return fmt.Errorf("there is no %s", name)
}

// spoil writes base64url in a way a careless decoder would still read.
func spoil(text, how string) (string, error) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	switch how {
	case "alphabet":
		return "+/" + text[2:], nil
	case "bits": // the last of 342 characters carries 2 bits of 256 bytes, and 4 that have to be 0
		last := strings.IndexByte(alphabet, text[len(text)-1])
		return text[:len(text)-1] + alphabet[last+1:last+2], nil
	}
	return "", fmt.Errorf("spoil %q is not known", how)
}
