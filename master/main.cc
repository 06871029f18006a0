// stoa-master: flags become options, the parts are built and wired by Daemon::start, the last lines run the loop.
#include "master/core/validation.h"
#include "master/daemon.h"
#include "protocol/strings.h"
#include "protocol/version.h"

#include <absl/strings/numbers.h>
#include <absl/time/time.h>
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <cstdlib>
#include <iostream>

DEFINE_string(ip, "127.0.0.1", "address of both doors; beyond loopback it needs --insecure");
DEFINE_string(advertise_host, "", "host that others are told; empty: the ip, or the machine's name for 0.0.0.0");
DEFINE_int32(port, 5050, "port of the HTTP door; 0: any free one");
DEFINE_int32(zmq_port, 5052, "port that agents and frameworks dial; 0: any free one");
DEFINE_string(port_file, "",
              "file into which the HTTP port and then the ZeroMQ port are written, a line each, when open");
DEFINE_string(work_dir, "/var/lib/stoa/master", "the master's directory: its registry");
DEFINE_string(agent_timeout, "75s", "an agent without a session is unreachable after this long");
DEFINE_string(offer_timeout, "60s", "an offer that nobody answers is taken back after this long; 0s: never");
DEFINE_string(allocator, "drf", "who is offered what: drf, spread, or the path of a module's shared object");
DEFINE_string(allocator_parameters, "", "the allocator module's own parameters");
DEFINE_string(weights, "", "weights of roles, e.g. \"batch=2,web=0.5\"; others have 1. They are kept");
DEFINE_bool(insecure, false, "allow doors beyond loopback though nobody has to prove who he is");

DECLARE_bool(help); // gflags' own, which lists every library's flags and exits as if something were wrong

// gflags ends the process by this on a flag that it doesn't know or can't read.
namespace google {
extern void (*gflags_exitfunc)(int);
}

namespace {

constexpr int kUsage = 2; // exit codes: usage and failure
constexpr int kFailure = 1;

[[noreturn]] void usageError(const std::string& what) {
    std::cerr << "stoa-master: " << what << "\n";
    std::exit(kUsage);
}

stoa::Duration durationOf(const char* flag, const std::string& text) {
    absl::Duration duration;
    if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration() || duration > absl::Hours(24 * 365)) {
        usageError(stoa::concat("--", flag, ": \"", text, "\" is no duration; write 75s, 500ms or 2m"));
    }
    return absl::ToChronoNanoseconds(duration);
}

std::uint16_t portOf(const char* flag, std::int32_t port) {
    if (port < 0 || port > 65535) usageError(stoa::concat("--", flag, ": ", port, " is not 0 to 65535"));
    return static_cast<std::uint16_t>(port);
}

std::map<std::string, double> weightsOf(const std::string& text) {
    std::map<std::string, double> weights;
    for (const std::string_view piece : stoa::split(text, ',')) {
        if (piece.empty()) continue;
        const std::size_t equals = piece.find('=');
        const std::string role(stoa::trimmed(piece.substr(0, equals)));
        double weight = 0;
        if (equals == std::string_view::npos || !absl::SimpleAtod(stoa::toAbsl(piece.substr(equals + 1)), &weight) ||
            !(weight >= 0.001 && weight <= 1'000'000)) {
            usageError(
                stoa::concat("--weights: \"", piece, "\" is not ROLE=WEIGHT with a weight from 0.001 to 1000000"));
        }
        if (absl::Status role_valid = stoa::master::validateRole(role); !role_valid.ok()) {
            usageError(stoa::concat("--weights: ", role_valid.message()));
        }
        weights[role] = weight;
    }
    return weights;
}

bool loopback(const std::string& ip) { return ip == "localhost" || ip == "::1" || ip.rfind("127.", 0) == 0; }

stoa::master::DaemonOptions optionsFromFlags() {
    stoa::master::DaemonOptions options;
    if (!loopback(FLAGS_ip) && !FLAGS_insecure) {
        usageError(stoa::concat("--ip: ", FLAGS_ip,
                                " can be reached from other machines, and nobody has to prove who he "
                                "is: add --insecure if that is wanted"));
    }
    if (FLAGS_work_dir.empty()) usageError("--work_dir: name the directory of the master's registry");
    options.ip = FLAGS_ip;
    options.advertise_host = FLAGS_advertise_host;
    options.port = portOf("port", FLAGS_port);
    options.zmq_port = portOf("zmq_port", FLAGS_zmq_port);
    options.port_file = FLAGS_port_file;
    options.work_dir = std::filesystem::absolute(FLAGS_work_dir);
    options.allocator = FLAGS_allocator;
    options.core.allocator.parameters = FLAGS_allocator_parameters;
    options.core.agent_timeout = durationOf("agent_timeout", FLAGS_agent_timeout);
    options.core.offer_timeout = durationOf("offer_timeout", FLAGS_offer_timeout);
    options.core.weights = weightsOf(FLAGS_weights);
    options.version = stoa::kVersion;
    std::vector<google::CommandLineFlagInfo> flags;
    google::GetAllFlags(&flags);
    for (const google::CommandLineFlagInfo& flag : flags) {
        // Of this file alone: the libraries' flags are no business of whoever looks.
        if (flag.filename.find("master/main.cc") != std::string::npos) {
            options.flags.emplace_back(flag.name, flag.current_value);
        }
    }
    return options;
}

} // namespace

int main(int argc, char** argv) {
    google::gflags_exitfunc = [](int code) { std::_Exit(code == 0 ? 0 : kUsage); };
    google::SetVersionString(stoa::kVersion);
    google::SetUsageMessage(
        "leads a Stoa cluster: offers what agents have to frameworks, and has their tasks launched.\n\n"
        "  SIGTERM, SIGINT   stop; tasks go on, and a master started again on the same work directory "
        "finds everything\n\n"
        "Exit codes: 0 as asked, 1 a failure, 2 a wrong flag.");
    FLAGS_logtostderr = true;
    google::ParseCommandLineNonHelpFlags(&argc, &argv, true);
    if (FLAGS_help) {
        google::ShowUsageWithFlagsRestrict(argv[0], "master/main");
        return 0;
    }
    google::HandleCommandLineHelpFlags();
    if (argc > 1) usageError(stoa::concat("\"", argv[1], "\" is no flag; see --help"));
    google::InitGoogleLogging(argv[0]);
    stoa::master::blockSignals();

    auto daemon = stoa::master::Daemon::start(optionsFromFlags());
    if (!daemon.ok()) {
        std::cerr << "stoa-master: " << daemon.status().message() << "\n";
        return absl::IsInvalidArgument(daemon.status()) ? kUsage : kFailure;
    }
    const absl::Status ended = (*daemon)->run();
    daemon->reset();
    if (ended.ok()) return 0;
    std::cerr << "stoa-master: " << ended.message() << "\n";
    return kFailure;
}
