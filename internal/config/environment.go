package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

const (
	ours = "CPM_"
	// maxSecret bounds a file named by a *_FILE variable.
	maxSecret = 64 << 10
)

// variables picks the CPM_* variables with a value from os.Environ's form; of a name given twice the last one counts. A
// variable without a value is one that is not set: container tools cannot tell the two apart.
func variables(environ []string) map[string]string {
	all := map[string]string{}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, ours) {
			all[name] = value
		}
	}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

// override lays the variables over c and takes each one it uses away; what is left over is unknown.
func override(vars map[string]string, c *Config, where origins) []problem {
	var all []problem
	for _, l := range leaves(c) {
		all = append(all, overrideLeaf(vars, c, l, where)...)
		delete(vars, l.env)
		delete(vars, l.envFile())
	}
	return append(all, unknown(vars)...)
}

func overrideLeaf(vars map[string]string, c *Config, l leaf, where origins) []problem {
	value, direct := vars[l.env]
	file, byFile := vars[l.envFile()]
	switch {
	case direct && byFile:
		return []problem{{l.path, "both " + l.env + " and " + l.envFile() + " are set", "set one of the two"}}
	case byFile:
		where[l.path] = l.envFile()
		return readSecret(l, file)
	case direct:
		where[l.path] = l.env
		// One variable at a time: the library names the field of an error, not its path.
		if env.ParseWithOptions(c, env.Options{Environment: map[string]string{l.env: value}}) != nil {
			return []problem{{l.path, "not a " + l.kind() + " (" + l.env + ")", l.wanted()}}
		}
	}
	return nil
}

// readSecret fills l from a file, without the line end an editor or echo leaves behind the secret.
func readSecret(l leaf, file string) []problem {
	content, err := readBounded(file, maxSecret)
	if err != nil {
		return []problem{{l.path, fmt.Sprintf("the file in %s cannot be read (%s)", l.envFile(), reason(err)), "name a file this user may read"}}
	}
	text := strings.TrimRight(string(content), "\r\n")
	if text == "" {
		return []problem{{l.path, "the file in " + l.envFile() + " is empty", "write the secret into it"}}
	}
	l.field.SetString(text)
	return nil
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("longer than %d bytes", limit)
	}
	return content, err
}

// reason is why a file cannot be read, without the path.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// client has the variables of the command line, which may be set where a server runs.
const client = "CPM_ADDR CPM_CERT CPM_KEY CPM_CA CPM_TOKEN CPM_OUTPUT CPM_SOCKET CPM_COMMAND_URL CPM_TOKEN_FILE"

// unknown reports variables nobody reads: a misspelt one would silently leave a default in force.
func unknown(vars map[string]string) []problem {
	// Kubernetes sets these for every Service; one that is called cpm or cpm-… makes names that begin like ours.
	serviceLink := regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_|$)|_PORT$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)
	var all []problem
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if serviceLink.MatchString(name) || slices.Contains(strings.Fields(client), name) {
			continue
		}
		all = append(all, problem{plainName(name), "unknown variable", "unset it, or take the name from `cpm config explain`"})
	}
	return all
}
