// What an MPI job decides, without doing it: how Hydra is called for the agents that were granted, what its launcher's
// lines mean, and which MPI a program was built for.
//
//     std::vector<std::string> argv = hydraCommand(job, places, "10.0.0.1");
//     LaunchLines lines;
//     lines.feed(output);                    // of mpiexec.hydra -launcher manual
//     if (lines.complete()) …                // lines.proxies()[i] is to be run at places[i]; lines.rest() is the job's
//
// Pure; plain values.
#pragma once

#include "protocol/resources/resources.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa::mpi {

struct Job {
    std::uint32_t ranks = 0;
    std::uint32_t most_per_agent = 0; // ranks; 0: as many as fit
    std::vector<std::string> argv;
    std::string directory; // where ranks start
    bool label = false;    // lines of output begin with their rank
};

// Where some of the ranks go. Their numbers follow the order of places.
struct Place {
    std::string host; // an address at which the other places reach it
    std::uint32_t ranks = 0;
};

// `mpiexec`: the program. `own_address`: where the places reach the machine that it runs on.
std::vector<std::string> hydraCommand(const std::string& mpiexec, const Job& job, const std::vector<Place>& places,
                                      const std::string& own_address);

// Reads what Hydra's manual launcher prints: a line a place with the proxy's command, then an end; all that follows is the
// job's own output.
class LaunchLines {
public:
    explicit LaunchLines(std::size_t places) : places_(places) {}
    // An error for lines that no Hydra that we know prints.
    absl::Status feed(std::string_view output);
    bool complete() const { return complete_; }
    const std::vector<std::vector<std::string>>& proxies() const { return proxies_; }
    // The job's output that came with the lines, once; complete() only.
    std::string takeRest() { return std::exchange(pending_, {}); }

private:
    std::size_t places_;
    bool complete_ = false;
    std::string pending_;
    std::vector<std::vector<std::string>> proxies_;
};

// Libraries that an ELF program names as needed, from the file's bytes; none for anything else (a script, a static
// program) and for damaged files.
std::vector<std::string> neededLibraries(std::string_view file);

// OK unless the libraries are another MPI's than MPICH's (or one with its binary interface).
absl::Status runsUnderHydra(const std::string& program, const std::vector<std::string>& libraries);

} // namespace stoa::mpi
