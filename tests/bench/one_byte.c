/* A task that leaves a trace: one byte on its standard output, counted afterwards. Linked statically by scripts/bench,
 * so that what is measured is its launch and not the dynamic linker. */
#include <unistd.h>

int main(void) { return write(1, "x", 1) == 1 ? 0 : 1; }
