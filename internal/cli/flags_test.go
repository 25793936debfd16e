// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/cli"
)

func TestOptionsOfACommandMayStandAnywhere(t *testing.T) {
	program := cli.Program{Name: "build", Commands: []cli.Command{{
		Option: "--prune", Flags: []cli.Flag{{Name: "--yes"}, {Name: "--older-than", Value: "AGE"}},
		Phase: func(_ context.Context, p cli.Process) error {
			_, yes := p.Flags["--yes"]
			fmt.Fprintf(p.Stdout, "%q yes=%v older=%s", p.Args, yes, p.Flags["--older-than"])
			return nil
		},
	}}}
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--prune", "a", "--yes", "b"}, 0, `["a" "b"] yes=true older=`},
		{[]string{"--prune", "--older-than", "240h", "a"}, 0, `["a"] yes=false older=240h`},
		{[]string{"--prune", "a", "--older-than=240h"}, 0, `["a"] yes=false older=240h`},
		{[]string{"--prune", "--force"}, 2, `unexpected option "--force"`},
		{[]string{"--prune", "--yes=no"}, 2, `unexpected option "--yes=no"`},
		{[]string{"--prune", "--older-than"}, 2, `unexpected option "--older-than"`},
		{[]string{"--yes", "--prune"}, 2, `unexpected option "--yes"`},
	} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, test.status, program.Run(test.args, nil, &stdout, &stderr, nil), test.args)
		assert.Contains(t, stdout.String()+stderr.String(), test.want)
	}
}
