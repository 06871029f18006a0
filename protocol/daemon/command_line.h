// What every daemon's main.cc does alike with its command line: parse gflags so that a wrong flag is a sentence and exit
// code 2, show only the daemon's own flags in --help, check ports, durations and addresses in the user's words, and
// turn the status with which the daemon ended into an exit code. Flags themselves are defined and read in main.cc alone.
//
//     int main(int argc, char** argv) {
//         command_line::parse("agent/main", "runs tasks on this machine …", &argc, &argv);
//         …
//         return command_line::exitCode(daemon.run());
//     }
//
// Called from main's thread before any other starts. Functions that refuse end the process.
#pragma once

#include "protocol/credentials/credentials.h"
#include "protocol/units.h"

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa::command_line {

inline constexpr int kUsage = 2;
inline constexpr int kFailure = 1;

// `main_file` is the end of the path of the file that defines the flags, without ".cc"; `what` goes before the flags in
// --help. Returns when the daemon is to start; logs go to standard error from then on.
void parse(const char* main_file, const std::string& what, int* argc, char*** argv);

[[noreturn]] void usageError(std::string_view what);

// "75s", "500ms", "2m", "168h"; not negative, ten years at most.
Duration duration(std::string_view flag, const std::string& text);
std::uint16_t port(std::string_view flag, std::int32_t value);
// Where nobody has to prove who he is, an address beyond loopback must be asked for twice.
void requireLoopback(std::string_view ip, bool insecure, const SharedCredentials& credentials);
// What --credentials names; null when it is empty.
SharedCredentials credentials(const std::string& file, CredentialsOf whose);

// Name and value of every flag of `main_file`, for the daemon's /flags; libraries' flags are no business of whoever
// looks.
std::vector<std::pair<std::string, std::string>> flagsOf(const char* main_file);

// Says on standard error why the daemon ended, when it is a failure.
int exitCode(const absl::Status& ended);

} // namespace stoa::command_line
