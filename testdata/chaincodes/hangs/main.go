// Command hangs is a chaincode that never registers and ends on a signal only.
package main

import (
	"fmt"
	"time"
)

func main() {
	fmt.Println("hangs: waiting for ever")
	for range time.Tick(time.Hour) { // without a timer the runtime calls it a deadlock
	}
}
