// Package route is the immutable routing table: FSP and operation → adapter (specification, "Security Message Routing
// Configuration"). Routing is configuration, never code.
package route

import (
	"errors"
	"fmt"
	"time"

	"github.com/mojaloop/cpm/internal/cpm"
)

// Any stands for every FSP or every operation in a rule.
const Any = "*"

// Bounds and default of a rule's timer.
const (
	DefaultTimeout = 2 * time.Second
	maxTimeout     = 10 * time.Minute
)

// Rule sends an operation of an FSP to an adapter.
type Rule struct {
	// Space is an FSP or Any.
	Space string
	// Operation is an operation or Any.
	Operation string
	Adapter   string
	Enabled   bool
	// Timeout is how long a request may take from its arrival; 0 is DefaultTimeout.
	Timeout time.Duration
}

// Table answers which rule applies. It never changes; a change of configuration makes a new one.
type Table struct {
	rules    map[[2]string]Rule
	adapters map[string]*Adapter
}

// New checks everything and makes a Table. Its error names every problem.
func New(rules []Rule, adapters []Adapter) (*Table, error) {
	t := &Table{rules: make(map[[2]string]Rule, len(rules)), adapters: make(map[string]*Adapter, len(adapters))}
	rows := map[cpm.Operation]cpm.Row{}
	for _, row := range cpm.Operations() {
		rows[row.Operation] = row
	}
	var problems []error
	for i := range adapters {
		problems = append(problems, t.addAdapter(&adapters[i], rows))
	}
	for _, r := range rules {
		problems = append(problems, t.addRule(r, rows))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Table) addAdapter(a *Adapter, rows map[cpm.Operation]cpm.Row) error {
	problem := func(format string, args ...any) error {
		return fmt.Errorf("adapter %q: %s", a.Name, fmt.Sprintf(format, args...))
	}
	if !cpm.ValidName(a.Name) {
		return problem("the name must be 1 to 128 visible characters without / \" \\")
	}
	if _, twice := t.adapters[a.Name]; twice {
		return problem("is there twice")
	}
	if err := a.check(); err != nil {
		return problem("%s", err)
	}
	for _, o := range a.Operations {
		row, known := rows[o]
		if !known {
			return problem("operation %q is not known", o)
		}
		if row.HardwareOnly && !a.Hardware() {
			return problem("operation %q needs a hardware adapter", o)
		}
		if row.Planned {
			return problem("operation %q is done by no adapter: mandate the operations it is made of", o)
		}
	}
	t.adapters[a.Name] = a
	return nil
}

func (t *Table) addRule(r Rule, rows map[cpm.Operation]cpm.Row) error {
	problem := func(format string, args ...any) error {
		return fmt.Errorf("route %s %s: %s", r.Space, r.Operation, fmt.Sprintf(format, args...))
	}
	if r.Space != Any && !cpm.ValidName(r.Space) {
		return problem("the FSP must be a name or %q", Any)
	}
	a, known := t.adapters[r.Adapter]
	if !known {
		return problem("adapter %q is not configured", r.Adapter)
	}
	if !a.Security() {
		return problem("adapter %q does no operations", r.Adapter)
	}
	row, known := rows[cpm.Operation(r.Operation)]
	if !known && r.Operation != Any {
		return problem("the operation is not known")
	}
	if row.Planned {
		return problem("the operation is done by no adapter: route the operations it is made of")
	}
	if r.Operation != Any && !a.Mandated(cpm.Operation(r.Operation)) {
		return problem("adapter %q is not mandated to do it", r.Adapter)
	}
	if r.Timeout < 0 || r.Timeout > maxTimeout {
		return problem("the timeout must be between 0 and %s", maxTimeout)
	}
	if r.Timeout == 0 {
		r.Timeout = DefaultTimeout
	}
	t.rules[[2]string{r.Space, r.Operation}] = r
	return nil
}

// Lookup finds the most specific rule: FSP and operation, then FSP, then operation, then any. A disabled rule is found
// too: it switches off what it names and does not let a wider rule apply.
func (t *Table) Lookup(f cpm.FSP, o cpm.Operation) (Rule, bool) {
	for _, k := range [4][2]string{{string(f), string(o)}, {string(f), Any}, {Any, string(o)}, {Any, Any}} {
		if r, ok := t.rules[k]; ok {
			return r, true
		}
	}
	return Rule{}, false
}

// Adapter finds an adapter's configuration by name.
func (t *Table) Adapter(name string) (*Adapter, bool) {
	a, ok := t.adapters[name]
	return a, ok
}

// Adapters lists every adapter, in no order.
func (t *Table) Adapters() []*Adapter {
	all := make([]*Adapter, 0, len(t.adapters))
	for _, a := range t.adapters {
		all = append(all, a)
	}
	return all
}

// Rules lists every rule, in no order.
func (t *Table) Rules() []Rule {
	all := make([]Rule, 0, len(t.rules))
	for _, r := range t.rules {
		all = append(all, r)
	}
	return all
}
