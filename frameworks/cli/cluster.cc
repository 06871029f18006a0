#include "frameworks/cli/cluster.h"

#include "frameworks/cli/json.h"
#include "protocol/http/client.h"
#include "protocol/leader/zookeeper_address.h"
#include "protocol/strings.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace stoa::cli {

namespace {

std::string pathIn(const std::string& directory) { return directory + "/cluster.json"; }

} // namespace

std::string clusterDirectory(const std::string& flag, bool environment) {
    if (!flag.empty()) return flag;
    if (const char* set = std::getenv("STOA_DIR"); environment && set && *set) return set;
    if (::geteuid() == 0) return "/var/lib/stoa";
    const char* home = std::getenv("HOME");
    return concat(home && *home ? home : "/tmp", "/.stoa");
}

absl::StatusOr<Cluster> readCluster(const std::string& directory) {
    std::ifstream file(pathIn(directory));
    if (!file) return absl::NotFoundError(concat("no cluster was started in ", directory, " (stoa up does)"));
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    absl::StatusOr<rapidjson::Document> json = parseJson(text, pathIn(directory));
    if (!json.ok()) return json.status();
    Cluster cluster;
    cluster.directory = directory;
    cluster.http_port = static_cast<std::uint16_t>(integerAt(*json, "http_port"));
    cluster.wire_port = static_cast<std::uint16_t>(integerAt(*json, "wire_port"));
    cluster.zookeeper = textAt(*json, "zookeeper");
    cluster.batch_socket = textAt(*json, "batch_socket");
    cluster.agent_cpus = numberAt(*json, "agent_cpus");
    for (const Json& entry : listAt(*json, "processes")) {
        ClusterProcess process;
        process.name = textAt(entry, "name");
        process.process.pid = static_cast<pid_t>(integerAt(entry, "pid"));
        process.process.start_time = static_cast<std::uint64_t>(integerAt(entry, "start_time"));
        process.log = textAt(entry, "log");
        for (const Json& argument : listAt(entry, "argv")) {
            if (argument.IsString()) process.argv.emplace_back(argument.GetString(), argument.GetStringLength());
        }
        cluster.processes.push_back(std::move(process));
    }
    return cluster;
}

absl::Status writeCluster(const Cluster& cluster) {
    rapidjson::StringBuffer buffer;
    rapidjson::PrettyWriter<rapidjson::StringBuffer> out(buffer);
    auto text = [&](const char* key, const std::string& value) {
        out.Key(key);
        out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    };
    out.StartObject();
    out.Key("http_port");
    out.Uint(cluster.http_port);
    out.Key("wire_port");
    out.Uint(cluster.wire_port);
    text("zookeeper", cluster.zookeeper);
    text("batch_socket", cluster.batch_socket);
    out.Key("agent_cpus");
    out.Double(cluster.agent_cpus);
    out.Key("processes");
    out.StartArray();
    for (const ClusterProcess& process : cluster.processes) {
        out.StartObject();
        text("name", process.name);
        out.Key("pid");
        out.Int(process.process.pid);
        out.Key("start_time");
        out.Uint64(process.process.start_time);
        text("log", process.log);
        out.Key("argv");
        out.StartArray();
        for (const std::string& argument : process.argv) {
            out.String(argument.data(), static_cast<rapidjson::SizeType>(argument.size()));
        }
        out.EndArray();
        out.EndObject();
    }
    out.EndArray();
    out.EndObject();

    const std::string path = pathIn(cluster.directory);
    const std::string part = path + ".part";
    {
        std::ofstream file(part, std::ios::trunc);
        file << buffer.GetString() << "\n";
        file.close();
        if (!file) return absl::UnavailableError(concat("cannot write ", part, ": ", std::strerror(errno)));
    }
    if (std::rename(part.c_str(), path.c_str()) != 0) {
        return absl::UnavailableError(concat("cannot write ", path, ": ", std::strerror(errno)));
    }
    return absl::OkStatus();
}

absl::StatusOr<MasterAddress> findMaster(const std::string& flag, const std::string& directory) {
    std::string given = flag;
    if (given.empty()) {
        if (const char* set = std::getenv("STOA_MASTER")) given = set;
    }
    if (given.empty()) {
        absl::StatusOr<Cluster> cluster = readCluster(directory);
        if (cluster.ok() && !cluster->zookeeper.empty()) {
            return MasterAddress{"", cluster->zookeeper, cluster->batch_socket, cluster->agent_cpus,
                                 cluster->zookeeper};
        }
        if (cluster.ok()) {
            return MasterAddress{concat("http://127.0.0.1:", cluster->http_port),
                                 concat("127.0.0.1:", cluster->wire_port), cluster->batch_socket, cluster->agent_cpus,
                                 ""};
        }
        // Who names a directory means the cluster there and no other.
        if (!absl::IsNotFound(cluster.status()) || directory != clusterDirectory("", false)) return cluster.status();
        return MasterAddress{"http://127.0.0.1:5050", "", "", 0, ""};
    }
    if (isZooKeeperAddress(given)) {
        if (absl::StatusOr<ZooKeeperAddress> where = parseZooKeeperAddress(given); !where.ok()) return where.status();
        return MasterAddress{"", given, "", 0, given};
    }
    if (given.find("://") == std::string::npos) given = "http://" + given;
    absl::StatusOr<http::Url> url = http::parseUrl(given);
    if (!url.ok() || url->target != "/") {
        return absl::InvalidArgumentError(concat("--master: \"", flag.empty() ? given : flag,
                                                 "\" is not HOST, HOST:PORT or zk://HOST:PORT,HOST:PORT/PATH"));
    }
    // A bare host means the master's own port.
    const std::string_view rest = std::string_view(given).substr(given.find("://") + 3);
    const std::size_t bracket = rest.rfind(']');
    const bool has_port = rest.find(':', bracket == std::string_view::npos ? 0 : bracket) != std::string_view::npos;
    while (!given.empty() && given.back() == '/') given.pop_back();
    return MasterAddress{has_port ? given : given + ":5050", "", "", 0, ""};
}

} // namespace stoa::cli
