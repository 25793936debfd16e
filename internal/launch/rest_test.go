package launch

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const smaps = `00400000-007dc000 r-xp 00000000 fe:00 9977937                            /opt/bin/run
Size:               3952 kB
Rss:                3760 kB
Private_Clean:         0 kB
Anonymous:         0 kB
VmFlags: rd ex mr mw me
007dc000-00be4000 r--p 003dc000 fe:00 9977937                            /opt/bin/run
Rss:                3872 kB
Anonymous:         0 kB
00be4000-00c40000 rw-p 007e4000 fe:00 9977937                            /opt/bin/run
Anonymous:         0 kB
00c40000-00c50000 r--p 007e4000 fe:00 9977937                            /opt/bin/run
Anonymous:         4 kB
10ae1d400000-10ae1dc00000 rw-p 00000000 00:00 0
Anonymous:         0 kB
7ffd5000-7ffd7000 r-xp 00000000 00:00 0                                  [vdso]
Anonymous:         0 kB
7fff0000-7fff1000 r--p 00000000 fe:00 1                                  /usr/lib/other.so
Anonymous:         0 kB
7fff1000-7fff2000 r--p 00000000 fe:00 1                                  /opt/bin/run (deleted)
Anonymous:         0 kB
`

func TestOnlyWhatStandsInTheProgramsFileIsGivenBack(t *testing.T) {
	found := clean(bufio.NewScanner(strings.NewReader(smaps)), "/opt/bin/run")
	assert.Equal(t, []mapping{{0x400000, 0x7dc000}, {0x7dc000, 0xbe4000}}, found)
	assert.Empty(t, clean(bufio.NewScanner(strings.NewReader("x\nz-y r--p 0 0 0 /opt/bin/run\nAnonymous: 0 kB\n")), "/opt/bin/run"))
}

// Here the tests themselves are the program: they go on.
func TestAProgramGoesOnAfterItsRest(t *testing.T) {
	executable, err := os.Executable()
	require.NoError(t, err)
	maps, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	require.NotEmpty(t, clean(bufio.NewScanner(bytes.NewReader(maps)), executable), "there is something to give back")
	rest()
	assert.Equal(t, "a-b", strings.Join(strings.Fields(" a b "), "-"))
}
