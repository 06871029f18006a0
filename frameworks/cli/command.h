// What the subcommands share: each is a function that adds itself to the command line and says what to do when it is
// called; main.cc lists them. Exit codes: the command's own where it has one (run, wait), else 0, 1 for a failure, 2 for
// wrong usage, 125 when a task could not be run at all. Used from the main thread only.
#pragma once

#include "frameworks/cli/cluster.h"
#include "frameworks/cli/json.h"
#include "protocol/credentials/credentials.h"
#include "protocol/http/client.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI { // NOLINT(readability-identifier-naming): CLI11's own name
class App;
}

namespace stoa::cli {

inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNotRun = 125;      // the task never ran, or how it ended is unknown
inline constexpr int kSignalled = 128;   // plus the signal's number
inline constexpr int kInterrupted = 130; // given up by a second ctrl-C

// The global options, and what the subcommand returned.
struct Context {
    std::string master;
    std::string directory;
    std::string credential; // a file
    bool json = false;
    std::optional<std::vector<std::string>> command; // what stood behind "--"
    int exit_code = 0;
};

// --master, --dir, --credential, --json: on the application, and on those subcommands that end with somebody else's arguments.
void addGlobalOptions(CLI::App& app, Context& context);

void addUp(CLI::App& app, Context& context);
void addDown(CLI::App& app, Context& context);
void addRun(CLI::App& app, Context& context);
void addSubmit(CLI::App& app, Context& context);
void addJobs(CLI::App& app, Context& context);
void addJob(CLI::App& app, Context& context);
void addHold(CLI::App& app, Context& context);
void addRelease(CLI::App& app, Context& context);
void addPriority(CLI::App& app, Context& context);
void addWait(CLI::App& app, Context& context);
void addLogs(CLI::App& app, Context& context);
void addFetch(CLI::App& app, Context& context);
void addKill(CLI::App& app, Context& context);
void addAgents(CLI::App& app, Context& context);
void addFrameworks(CLI::App& app, Context& context);
void addTasks(CLI::App& app, Context& context);
void addExplain(CLI::App& app, Context& context);
void addMpi(CLI::App& app, Context& context);
void addSimulate(CLI::App& app, Context& context);
void addFramework(CLI::App& app, Context& context);
void addFrameworkNew(CLI::App& group, Context& context);
void addFrameworkRun(CLI::App& group, Context& context);
void addAllocator(CLI::App& app, Context& context);
void addAllocatorNew(CLI::App& group, Context& context);
void addCredentials(CLI::App& app, Context& context);

// "stoa: <message>" on stderr; returns the code.
int fail(const absl::Status& status, int code = kFailed);
int fail(std::string_view message, int code = kFailed);

// The leading master's HTTP door: the one that was named, where a standby sends us on to, or whom ZooKeeper names.
class MasterClient {
public:
    static absl::StatusOr<MasterClient> find(const Context& context);
    // "/slaves" as JSON; an error says in a person's words that no master is there.
    absl::StatusOr<rapidjson::Document> get(const std::string& target) const;
    // host:port, or zk://…, for a framework's driver.
    absl::StatusOr<std::string> wireAddress() const;
    const MasterAddress& address() const { return address_; }

    // Who we are, where --credential or STOA_CREDENTIAL says it: for what is asked of this cluster's doors.
    void identify(http::ClientRequest& request) const;
    const std::string& credentialFile() const { return credential_file_; } // empty: none; for a framework's driver

private:
    explicit MasterClient(MasterAddress address) : address_(std::move(address)) {}
    absl::StatusOr<http::ClientResponse> ask(const std::string& target) const;
    mutable MasterAddress address_; // its http changes when another master leads
    std::string credential_file_;
    SharedCredentials credentials_;
};

// Fractions and units as people write them: "512", "512M", "2G" (megabytes without a unit).
absl::StatusOr<double> parseMegabytes(std::string_view text);
// "NAME=VALUE", or "NAME" for this process's own value.
absl::Status addEnvironment(const std::vector<std::string>& settings, std::map<std::string, std::string>& environment);
// Of whoever runs this command.
std::string ownUserName();

} // namespace stoa::cli
