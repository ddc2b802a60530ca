package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/mojaloop/cpm/internal/fault"
)

// The formats of answers.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
	formatName  = "name"
	formatHTTP  = "http"
)

// output is the -o of one command.
type output struct {
	app     *app
	formats []string // those of the command, its default first
	flag    *string
}

// outputFlag adds -o to a command. Without formats it has all of those of a list.
func (a *app) outputFlag(c *cobra.Command, formats ...string) *output {
	if len(formats) == 0 {
		formats = []string{formatTable, formatJSON, formatYAML, formatName}
	}
	o := &output{app: a, formats: formats}
	o.flag = c.Flags().StringP("output", "o", "", "format of the answer: "+strings.Join(formats, ", ")+" (default $CPM_OUTPUT, "+formats[0]+")")
	// A wrong format is found before anything is asked for or changed.
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		a.ran = c
		_, err := o.format()
		return err
	}
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return o
}

// format is the format in force. A CPM_OUTPUT that this command does not have leaves it at its default.
func (o *output) format() (string, error) {
	if f := *o.flag; f != "" {
		if !slices.Contains(o.formats, f) {
			return "", errors.New("the output format of this command is one of: " + strings.Join(o.formats, ", "))
		}
		return f, nil
	}
	f := o.app.env[envOutput]
	switch {
	case slices.Contains(o.formats, f):
		return f, nil
	case f == "" || slices.Contains([]string{formatTable, formatJSON, formatYAML, formatName}, f):
		return o.formats[0], nil
	}
	return "", errors.New(envOutput + " is one of: table, json, yaml, name")
}

// answer is what a command prints: the message as it is for json and yaml, a table, or names.
type answer struct {
	message any
	tables  []table
	names   []string
}

// table is a header and rows. A table without rows prints its header.
type table struct {
	header []string
	rows   [][]string
}

// print writes the answer to standard output.
func (o *output) print(v answer) error {
	format, err := o.format()
	if err != nil {
		return err
	}
	out := o.app.io.Out
	switch format {
	case formatJSON, formatYAML:
		return printMessage(out, format, v.message)
	case formatName:
		for _, name := range v.names {
			fmt.Fprintln(out, name)
		}
		return nil
	}
	for i, t := range v.tables {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := t.write(out); err != nil {
			return err
		}
	}
	return nil
}

// write aligns the columns; nothing is cut and nothing is wrapped.
func (t table) write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.header}, t.rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return w.Flush()
}

// printable shows an empty cell and keeps control characters away from the terminal.
func printable(cell string) string {
	if cell == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return '?'
		}
		return r
	}, cell)
}

// printMessage writes the API's message, as one line of JSON or as YAML.
func printMessage(out io.Writer, format string, message any) error {
	text, err := messageJSON(message)
	if err == nil && format == formatYAML {
		text, err = toYAML(text)
	}
	if err != nil {
		return fault.New(fault.Internal, "the answer cannot be shown").Because(err)
	}
	_, err = out.Write(text)
	return err
}

// messageJSON is the message as the API has it: bytes as they came, a value as the door writes it.
func messageJSON(message any) ([]byte, error) {
	if raw, ok := message.([]byte); ok {
		return append(bytes.TrimRight(raw, "\n"), '\n'), nil
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	err := e.Encode(message)
	return text.Bytes(), err
}

// toYAML turns JSON into YAML with the members in their order. JSON is YAML in flow style; only the style changes.
func toYAML(text []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if err := unstyle(&doc); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, err
	}
	return out.Bytes(), e.Close()
}

// unstyle turns flow style into block style. Words and numbers that older readers take for something else than a text
// (yes, 1:20) are written anew, with the quotes they need; no such word is longer than five letters.
func unstyle(n *yaml.Node) error {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && n.Value != "" && (len(n.Value) <= 5 || n.Value[0] <= '9') {
		return n.Encode(n.Value)
	}
	for _, child := range n.Content {
		if err := unstyle(child); err != nil {
			return err
		}
	}
	return nil
}

// ago says how long ago, or in how long, in one unit.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	if d := now.Sub(t); d >= 0 {
		return span(d) + " ago"
	}
	return "in " + span(t.Sub(now))
}

func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d/day))
}
