// Command broken is a chaincode that does not compile.
package main

func main() {
	undefinedFunction()
}
