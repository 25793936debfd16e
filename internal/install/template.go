package install

import (
	"errors"
	"fmt"
	"regexp"
	"text/template/parse"
)

// templateFunctions lists the functions that a template may call. What they return is not much larger than the template and
// its values.
var templateFunctions = map[string]bool{
	"and": true, "or": true, "not": true, "eq": true, "ne": true, "lt": true, "le": true, "gt": true, "ge": true,
	"len": true, "index": true, "print": true, "println": true, "printf": true, "html": true, "urlquery": true,
}

// wide matches a format that makes much out of little: a width or precision of four digits, or one that is a value.
var wide = regexp.MustCompile(`%[^a-zA-Z%]*([0-9]{4}|\*)`)

// checkTemplate returns an error for what could make a package's template run for ever or fill the memory: loops, variables
// and some functions. No time limit applies to a template.
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
	return errors.Join(checkPipe(branch.Pipe), checkTemplate(branch.List), checkTemplate(branch.ElseList))
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
		switch arg := arg.(type) {
		case *parse.IdentifierNode:
			if !templateFunctions[arg.Ident] || arg.Ident == "printf" && !hasPlainFormat(command.Args[i+1:]) {
				return notSupported(command)
			}
		case *parse.PipeNode:
			if err := checkPipe(arg); err != nil {
				return err
			}
		case *parse.ChainNode:
			if pipe, ok := arg.Node.(*parse.PipeNode); ok {
				if err := checkPipe(pipe); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// hasPlainFormat reports whether the first argument of printf is a text without large widths.
func hasPlainFormat(args []parse.Node) bool {
	if len(args) == 0 {
		return false
	}
	format, ok := args[0].(*parse.StringNode)
	return ok && !wide.MatchString(format.Text)
}

func notSupported(node parse.Node) error {
	return fmt.Errorf("%.40q is not supported: expected values, conditions and simple functions", node)
}
