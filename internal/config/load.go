package config

import "slices"

// Load reads the configuration: the defaults, over them the YAML file, over it the variables of environ, which has the
// form of os.Environ. Without a file ("") the variables alone count. Nothing else is read: no other variable, and no file
// but this one and those named by *_FILE variables.
//
// The error is fault.Invalid; its public text has one line for each problem: path: what is wrong: what to write.
func Load(file string, environ []string) (*Config, error) {
	var (
		src []byte
		err error
	)
	if file != "" {
		if src, err = readBounded(file, maxFile); err != nil {
			return nil, report([]problem{{"file", "cannot be read (" + reason(err) + ")", "name a file this user may read"}})
		}
	}
	return load(src, environ)
}

func load(src []byte, environ []string) (*Config, error) {
	c := Default()
	unread, where := decode(src, &c)
	unread = append(unread, override(variables(environ), &c, where)...)
	c.Complete()
	all := slices.Clone(unread)
	for _, p := range c.problems() {
		// What could not be read is not judged a second time by the default that stands in its place.
		if !slices.ContainsFunc(unread, func(u problem) bool { return u.path == p.path }) {
			all = append(all, p.at(where))
		}
	}
	if err := report(all); err != nil {
		return nil, err
	}
	return &c, nil
}
