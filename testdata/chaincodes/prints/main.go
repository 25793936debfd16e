// Command prints is a chaincode that prints pseudo-random lines on both streams for PRINTS_SECONDS, or all at once if that
// is 0, and ends. It never registers. The same PRINTS_SEED gives the same lines: numbered ones, long ones, and many equal
// ones. Lines of stdout hold capitals alone, those of stderr none.
package main

import (
	"bufio"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const lines = 40_000 // on each stream, about 8 MB

func main() {
	seed, _ := strconv.ParseUint(os.Getenv("PRINTS_SEED"), 10, 64)
	seconds, _ := strconv.Atoi(os.Getenv("PRINTS_SECONDS"))
	var both sync.WaitGroup
	both.Add(2)
	go func() {
		defer both.Done()
		print(os.Stdout, rand.New(rand.NewPCG(seed, 1)), seconds, strings.ToUpper)
	}()
	go func() {
		defer both.Done()
		print(os.Stderr, rand.New(rand.NewPCG(seed, 2)), seconds, strings.ToLower)
	}()
	both.Wait()
}

// print writes the lines in bursts.
func print(to io.Writer, random *rand.Rand, seconds int, change func(string) string) {
	out := bufio.NewWriterSize(to, 256<<10)
	began := time.Now()
	for i, burst := 0, 0; i < lines; i++ {
		io.WriteString(out, change(line(random, i))+"\n")
		if burst--; burst >= 0 {
			continue
		}
		burst = random.IntN(200)
		out.Flush()
		due := began.Add(time.Duration(seconds) * time.Second * time.Duration(i) / lines)
		<-time.After(time.Until(due))
	}
	out.Flush()
}

func line(random *rand.Rand, number int) string {
	switch kind := random.IntN(400); {
	case kind == 0:
		return word(number) + strings.Repeat("-"+word(random.IntN(1_000_000)), random.IntN(10_000))
	case kind < 100:
		return "line " + word(number)
	default:
		return "the same line, which has the usual length of a line that a chaincode prints " + strings.Repeat("z", random.IntN(3)*20)
	}
}

// word writes a number in letters.
func word(number int) string {
	text := "x"
	for ; number > 0; number /= 26 {
		text += string(rune('a' + number%26))
	}
	return text
}
