// SPDX-License-Identifier: Apache-2.0

package promtext_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/promtext"
)

func TestParse(t *testing.T) {
	const head = "# HELP a_total Some.\n# TYPE a_total counter\n"
	values, err := promtext.Parse("# a comment\n" + head + "a_total 1\na_total{b=\"x\\\\\\\"\\ny\",c=\"\"} 1.5\n")
	require.NoError(t, err)
	assert.Equal(t, map[string]float64{"a_total": 1, `a_total{b="x\\\"\ny",c=""}`: 1.5}, values)
	for name, text := range map[string]string{
		"no end":           head + "a_total 1",
		"no help":          "# TYPE a_total counter\na_total 1\n",
		"no type":          "# HELP a_total Some.\na_total 1\n",
		"a gauge":          "# HELP a Some.\n# TYPE a gauge\na 1\n",
		"no _total":        "# HELP a Some.\n# TYPE a counter\na 1\n",
		"another metric":   head + "b_total 1\n",
		"twice":            head + "a_total 1\na_total 1\n",
		"no number":        head + "a_total one\n",
		"less than 0":      head + "a_total -1\n",
		"a quote":          head + "a_total{b=\"\"\"} 1\n",
		"a backslash":      head + "a_total{b=\"\\x\"} 1\n",
		"an empty line":    head + "\na_total 1\n",
		"a label's name":   head + "a_total{1=\"\"} 1\n",
		"labels left open": head + "a_total{b=\"\" 1\n",
	} {
		_, err := promtext.Parse(text)
		assert.Error(t, err, name)
	}
}
