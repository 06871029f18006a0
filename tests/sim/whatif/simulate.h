// `stoa simulate`, which is `stoa-sim simulate`: reads what the flags name, plays the cluster as it is and, if anything is
// to be changed, as it would be, and writes the answer. The one place of these sources that reads files, asks a master and
// looks at a clock. Called from main() alone.
#pragma once

namespace stoa::sim {

// argv[0] is the program's name in messages; returns the exit code: 0, 1 for a failure, 2 for wrong usage or input.
int simulate(int argc, char** argv);

} // namespace stoa::sim
