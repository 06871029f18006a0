// stoa-master: flags become options, the parts are built and wired by Daemon::start, the last lines run the loop.
#include "master/core/validation.h"
#include "master/daemon.h"
#include "protocol/daemon/command_line.h"
#include "protocol/leader/zookeeper_address.h"
#include "protocol/strings.h"
#include "protocol/version.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <gflags/gflags.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

DEFINE_string(ip, "127.0.0.1", "address of both doors; beyond loopback it needs --credentials or --insecure");
DEFINE_string(advertise_host, "", "host that others are told; empty: the ip, or the machine's name for 0.0.0.0");
DEFINE_int32(port, 5050, "port of the HTTP door; 0: any free one");
DEFINE_int32(zmq_port, 5052, "port that agents and frameworks dial; 0: any free one");
DEFINE_string(port_file, "",
              "file into which the HTTP port and then the ZeroMQ port are written, a line each, when open");
DEFINE_string(work_dir, "/var/lib/stoa/master", "the master's directory: its registry");
DEFINE_string(
    zk, "",
    "zk://host:port,host:port/path: lead only when elected there, and keep the registry there; empty: lead alone");
DEFINE_string(zk_session_timeout, "10s", "ZooKeeper takes a silent master's office away after this long");
DEFINE_string(agent_timeout, "75s", "an agent without a session is unreachable after this long");
DEFINE_string(
    agent_removal_rate_limit, "10/1m",
    "so many agents are marked unreachable in that time at most, evenly spaced; the others stay as they are until "
    "it is their turn, or they are back. none: no limit");
DEFINE_string(registry_max_agent_age, "336h",
              "an agent that was unreachable for this long is forgotten, its tasks gone");
DEFINE_int32(registry_max_agent_count, 100'000,
             "of more unreachable agents than this, those that have been so the longest are forgotten");
DEFINE_string(offer_timeout, "60s", "an offer that nobody answers is taken back after this long; 0s: never");
DEFINE_string(allocator, "drf", "who is offered what: drf, spread, or the path of a module's shared object");
DEFINE_string(allocator_parameters, "", "the allocator module's own parameters");
DEFINE_string(weights, "", "weights of roles, e.g. \"batch=2,web=0.5\"; others have 1. They are kept");
DEFINE_string(
    credentials, "",
    "file of this master's key and of the principals that it admits (`stoa credentials new` makes it); empty: "
    "nobody has to prove who he is");
DEFINE_bool(insecure, false, "allow doors beyond loopback though nobody has to prove who he is");

namespace {

using stoa::command_line::usageError;

constexpr char kThisFile[] = "master/main";

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

// "10/1m" is one in 6 s.
stoa::Duration giveUpEvery(const std::string& text) {
    if (text == "none") return stoa::Duration::zero();
    const std::size_t slash = text.find('/');
    std::uint32_t agents = 0;
    if (slash == std::string::npos || !absl::SimpleAtoi(text.substr(0, slash), &agents) || agents == 0) {
        usageError(stoa::concat("--agent_removal_rate_limit: \"", text,
                                "\" is not AGENTS/TIME, such as 10/1m or 1/30s, nor none"));
    }
    const stoa::Duration time = stoa::command_line::duration("agent_removal_rate_limit", text.substr(slash + 1));
    return time / agents;
}

stoa::master::DaemonOptions optionsFromFlags() {
    stoa::master::DaemonOptions options;
    options.credentials = stoa::command_line::credentials(FLAGS_credentials, stoa::CredentialsOf::kMaster);
    stoa::command_line::requireLoopback(FLAGS_ip, FLAGS_insecure, options.credentials);
    if (FLAGS_work_dir.empty()) usageError("--work_dir: name the directory of the master's registry");
    options.ip = FLAGS_ip;
    options.advertise_host = FLAGS_advertise_host;
    options.port = stoa::command_line::port("port", FLAGS_port);
    options.zmq_port = stoa::command_line::port("zmq_port", FLAGS_zmq_port);
    options.port_file = FLAGS_port_file;
    options.work_dir = std::filesystem::absolute(FLAGS_work_dir);
    options.zookeeper = FLAGS_zk;
    options.zookeeper_timeout = stoa::command_line::duration("zk_session_timeout", FLAGS_zk_session_timeout);
    if (auto address = stoa::parseZooKeeperAddress(FLAGS_zk); !FLAGS_zk.empty() && !address.ok()) {
        usageError(stoa::concat("--zk: ", address.status().message()));
    }
    options.allocator = FLAGS_allocator;
    options.core.allocator.parameters = FLAGS_allocator_parameters;
    options.core.agent_timeout = stoa::command_line::duration("agent_timeout", FLAGS_agent_timeout);
    options.core.give_up_every = giveUpEvery(FLAGS_agent_removal_rate_limit);
    options.core.max_unreachable_age =
        stoa::command_line::duration("registry_max_agent_age", FLAGS_registry_max_agent_age);
    if (FLAGS_registry_max_agent_count < 0) {
        usageError(stoa::concat("--registry_max_agent_count: ", absl::StrCat(FLAGS_registry_max_agent_count),
                                " is no number of agents"));
    }
    options.core.max_unreachable = static_cast<std::size_t>(FLAGS_registry_max_agent_count);
    options.core.offer_timeout = stoa::command_line::duration("offer_timeout", FLAGS_offer_timeout);
    options.core.weights = weightsOf(FLAGS_weights);
    options.version = stoa::kVersion;
    options.flags = stoa::command_line::flagsOf(kThisFile);
    return options;
}

} // namespace

int main(int argc, char** argv) {
    stoa::command_line::parse(
        kThisFile,
        "leads a Stoa cluster: offers what agents have to frameworks, and has their tasks launched.\n\n"
        "  SIGTERM, SIGINT   stop; tasks go on, and a master started again on the same work directory finds everything",
        &argc, &argv);
    stoa::master::blockSignals();

    return stoa::command_line::exitCode(stoa::master::Daemon::serve(optionsFromFlags()));
}
