// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"fabric-builder-docker/internal/metadata"
)

// maxTemplate is the size of the largest template in bytes. A root certificate may be written out beside a placeholder.
const maxTemplate = 64 << 10

// builtinFunctions and ownFunctions are the functions that a template may call. The latter replace those of text/template,
// whose errors show the values of their arguments.
var (
	builtinFunctions = []string{"and", "or", "not"}
	ownFunctions     = template.FuncMap{"eq": equal, "ne": notEqual, "index": index}
)

// parseTemplate parses and checks a template: it is other people's program, and the values are the operator's. It returns nil
// for a text without templates.
func parseTemplate(text string) (*template.Template, error) {
	if !strings.Contains(text, "{{") {
		return nil, nil
	}
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("the template is larger than %d KiB", maxTemplate>>10)
	}
	parsed, err := template.New("template").Option("missingkey=error").Funcs(ownFunctions).Parse(text)
	if err != nil {
		return nil, err
	}
	if len(parsed.Templates()) > 1 {
		return nil, errors.New("define and block are not supported: " + supported)
	}
	if err := checkTemplate(parsed.Root); err != nil {
		return nil, err
	}
	checkResults(parsed.Root)
	return parsed.Funcs(template.FuncMap{resultFunction: scalar}), nil
}

// resultFunction is what every {{...}} that prints its result passes that to. Templates themselves cannot call it.
const resultFunction = "text"

// checkResults makes the template pass all that it prints to resultFunction.
func checkResults(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.ActionNode:
			call := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: node.Pos, Args: []parse.Node{parse.NewIdentifier(resultFunction).SetPos(node.Pos)}}
			node.Pipe.Cmds = append(node.Pipe.Cmds, call)
		case *parse.IfNode:
			checkResults(node.List)
			checkResults(node.ElseList)
		case *parse.WithNode:
			checkResults(node.List)
			checkResults(node.ElseList)
		}
	}
}

// scalar returns an error for what text/template would print as <no value>, map[...] or [...]: no address or certificate is
// like that.
func scalar(value any) (any, error) {
	if value == nil || !isScalar(value) {
		return nil, errors.New("the value is null, an object or a list: expected a string, a number or a boolean")
	}
	return value, nil
}

// execute returns the result of a template. A value that is not set is an error. No error contains a value.
func execute(parsed *template.Template, values map[string]any) (string, error) {
	var rendered limitedBuilder
	if err := parsed.Execute(&rendered, values); err != nil {
		return "", err
	}
	return rendered.String(), nil
}

// limitedBuilder holds a result of at most metadata.MaxFile bytes. A template can repeat a long value many times.
type limitedBuilder struct{ strings.Builder }

func (b *limitedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > metadata.MaxFile {
		return 0, fmt.Errorf("the result is larger than %d MiB", metadata.MaxFile>>20)
	}
	return b.Builder.Write(p)
}

// equal reports whether the first of some values of a JSON object is equal to any of the others. An object or a list is equal
// to nothing.
func equal(first any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, errors.New("missing argument for comparison")
	}
	for _, other := range others {
		if isScalar(first) && number(first) == number(other) {
			return true, nil
		}
	}
	return false, nil
}

func notEqual(first, second any) (bool, error) {
	same, err := equal(first, second)
	return !same, err
}

// isScalar reports whether a value can be compared: == panics for two objects.
func isScalar(value any) bool {
	switch value.(type) {
	case nil, bool, string, int, float64:
		return true
	}
	return false
}

// number converts a whole number that is written in a template, so that it can be compared with one in JSON.
func number(value any) any {
	if whole, ok := value.(int); ok {
		return float64(whole)
	}
	return value
}

// index returns an entry of a JSON object or list. More keys go on in what was found. A key that is not there is an error.
func index(value any, keys ...any) (any, error) {
	for _, key := range keys {
		var found bool
		switch container := value.(type) {
		case map[string]any:
			name, _ := key.(string)
			value, found = container[name]
		case []any:
			if at, ok := number(key).(float64); ok && at >= 0 && at < float64(len(container)) && at == float64(int(at)) {
				value, found = container[int(at)], true
			}
		}
		if !found {
			return nil, errors.New("there is no entry for the key")
		}
	}
	return value, nil
}

// supported says what a template may contain.
const supported = "expected fields, literals, if, else, with, and, or, not, eq, ne and index"

// checkTemplate returns an error for everything that a template for an address or a certificate does not need. Among that is
// what runs for ever, fills the memory or prints all values. No time limit applies to a template.
func checkTemplate(list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		var err error
		switch node := node.(type) {
		case *parse.TextNode, *parse.CommentNode:
		case *parse.ActionNode:
			err = checkPipe(node.Pipe)
		case *parse.IfNode:
			err = checkBranch(node.BranchNode)
		case *parse.WithNode:
			err = checkBranch(node.BranchNode)
		default:
			err = notSupported(node)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkBranch(branch parse.BranchNode) error {
	if err := checkPipe(branch.Pipe); err != nil {
		return err
	}
	if err := checkTemplate(branch.List); err != nil {
		return err
	}
	return checkTemplate(branch.ElseList)
}

func checkPipe(pipe *parse.PipeNode) error {
	if len(pipe.Decl) > 0 {
		return notSupported(pipe)
	}
	for _, command := range pipe.Cmds {
		if err := checkCommand(command); err != nil {
			return err
		}
	}
	return nil
}

func checkCommand(command *parse.CommandNode) error {
	for i, arg := range command.Args {
		if _, ok := arg.(*parse.DotNode); ok && i == 1 && len(command.Args) > 2 && command.Args[0].String() == "index" {
			continue // an entry whose name cannot be written as a field, such as {{index . "peer-name"}}
		}
		if err := checkOperand(arg); err != nil {
			return err
		}
	}
	return nil
}

func checkOperand(node parse.Node) error {
	switch node := node.(type) {
	case *parse.FieldNode, *parse.StringNode, *parse.NumberNode, *parse.BoolNode, *parse.NilNode:
		return nil
	case *parse.IdentifierNode:
		if _, ok := ownFunctions[node.Ident]; ok || slices.Contains(builtinFunctions, node.Ident) {
			return nil
		}
	case *parse.VariableNode:
		if len(node.Ident) > 1 { // $.name, a field from within a with; $ alone is the same as a dot
			return nil
		}
	case *parse.ChainNode:
		return checkOperand(node.Node)
	case *parse.PipeNode:
		return checkPipe(node)
	}
	return notSupported(node)
}

func notSupported(node parse.Node) error {
	return fmt.Errorf("%.40q is not supported: %s", node, supported)
}
