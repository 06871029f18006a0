// A running mpiexec.hydra: a child in a process group of its own, so that a terminal's ctrl-C reaches it through its
// owner alone; its output is a pipe, its input a given descriptor. It dies with its owner. Used from one thread.
#pragma once

#include "protocol/unique_fd.h"

#include <absl/status/statusor.h>

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stoa::mpi {

class Hydra {
public:
    static absl::StatusOr<Hydra> start(const std::vector<std::string>& argv,
                                       const std::map<std::string, std::string>& environment, int input);
    ~Hydra(); // kills it
    Hydra(Hydra&& other) noexcept;
    Hydra& operator=(Hydra&&) = delete;

    int output() const { return output_.get(); }
    void signal(int number) const;
    // Its wait status, once it has ended; asks, and does not wait.
    std::optional<int> ended();

private:
    Hydra(pid_t pid, UniqueFd output) : pid_(pid), output_(std::move(output)) {}

    pid_t pid_ = 0; // 0: it has ended and was waited for
    UniqueFd output_;
    std::optional<int> status_;
};

} // namespace stoa::mpi
