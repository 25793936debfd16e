// Command cgo stands for a chaincode with a part in C: it says what that part has computed, and ends.
package main

/*
#include <math.h>
#include <stdlib.h>
#cgo LDFLAGS: -lm

static int answer(const char *text) { return (int) sqrt(atof(text)); }
*/
import "C"

import (
	"fmt"
	"os"
	"unsafe"
)

func main() {
	text := C.CString("1764")
	defer C.free(unsafe.Pointer(text))
	fmt.Println("cgo: the answer is", C.answer(text))
	os.Exit(4)
}
