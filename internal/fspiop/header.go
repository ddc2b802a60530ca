package fspiop

// foldNames gives header fields by lower-case name. It is false if two names differ only in case: nobody could say which of
// the two a signature means.
func foldNames(fields map[string]string) (map[string]string, bool) {
	if !anyUpper(fields) {
		return fields, true
	}
	folded := make(map[string]string, len(fields))
	for name, value := range fields {
		name = lower(name)
		if _, twice := folded[name]; twice {
			return nil, false
		}
		folded[name] = value
	}
	return folded, true
}

func anyUpper(fields map[string]string) bool {
	for name := range fields {
		if hasUpper(name) {
			return true
		}
	}
	return false
}

func hasUpper(s string) bool {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

// lower is for names of header fields, which are ASCII. Unicode's lower case would make an s of U+017F, and a signed name
// out of another one.
func lower(s string) string {
	if !hasUpper(s) {
		return s
	}
	out := []byte(s)
	for i, c := range out {
		out[i] = lowerByte(c)
	}
	return string(out)
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// sameName says whether two names are equal in lower case.
func sameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

// printable says whether a text is ASCII without controls. Deployed libraries encode other characters of a protected header
// each in their own way.
func printable(s string) bool { return within(s, ' ') }

// visible says whether a text is printable and without spaces.
func visible(s string) bool { return within(s, '!') }

func within(s string, first byte) bool {
	for i := range len(s) {
		if s[i] < first || s[i] > '~' {
			return false
		}
	}
	return true
}

// token says whether s is a token of RFC 9110, section 5.6.2 without lower-case letters, as the methods of HTTP are.
func token(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '!', c == '#', c == '$', c == '%', c == '&', c == '\'', c == '*', c == '+', c == '-', c == '.',
			c == '^', c == '_', c == '`', c == '|', c == '~':
		default:
			return false
		}
	}
	return s != ""
}
