#include "frameworks/cli/ensemble.h"

#include "frameworks/cli/processes.h"
#include "protocol/strings.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace stoa::cli {

namespace {

constexpr char kJars[] = "/usr/share/java/";
constexpr const char* kWanted[] = {"zookeeper.jar", "slf4j-log4j12.jar", "log4j-1.2.jar"};

// A short tick, since masters' session timeouts are multiples of it.
constexpr char kSettings[] = "tickTime=500\n"
                             "initLimit=20\n"
                             "syncLimit=10\n"
                             "minSessionTimeout=1000\n"
                             "maxSessionTimeout=60000\n"
                             "admin.enableServer=false\n"
                             "4lw.commands.whitelist=srvr,ruok\n"
                             "maxClientCnxns=0\n"
                             "autopurge.purgeInterval=24\n";

constexpr char kLogging[] = "log4j.rootLogger=WARN, CONSOLE\n"
                            "log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender\n"
                            "log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout\n"
                            "log4j.appender.CONSOLE.layout.ConversionPattern=%d{ISO8601} %-5p %c{1}: %m%n\n";

std::string findJava() {
    const char* path = std::getenv("PATH");
    for (const std::string_view folder : split(path != nullptr ? path : "/usr/bin", ':')) {
        std::string java = concat(folder, "/java");
        if (!folder.empty() && ::access(java.c_str(), X_OK) == 0) return java;
    }
    return {};
}

absl::Status write(const std::filesystem::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::trunc);
    file << text;
    file.close();
    return file ? absl::OkStatus() : absl::UnavailableError(concat("cannot write ", path.native()));
}

} // namespace

absl::StatusOr<std::vector<ZooKeeperServer>> prepareEnsemble(const std::string& directory, int servers) {
    const std::string java = findJava();
    std::string jars;
    bool there = !java.empty();
    for (const char* jar : kWanted) {
        jars += concat(":", kJars, jar);
        there &= ::access(concat(kJars, jar).c_str(), R_OK) == 0;
    }
    if (!there) {
        return absl::NotFoundError("several masters are elected by ZooKeeper, which is not installed: "
                                   "apt install libzookeeper-java default-jre-headless");
    }

    std::vector<ZooKeeperServer> ensemble;
    std::string members;
    for (int i = 1; i <= servers; ++i) {
        members += concat("server.", i, "=127.0.0.1:", freePort(0), ":", freePort(0), "\n");
    }
    for (int i = 1; i <= servers; ++i) {
        ZooKeeperServer server;
        server.name = concat("zookeeper-", i);
        server.port = freePort(0);
        const std::filesystem::path folder = std::filesystem::path(directory) / server.name;
        std::error_code error;
        std::filesystem::create_directories(folder / "data", error);
        if (error) return absl::UnavailableError(concat("cannot make ", folder.native(), ": ", error.message()));
        const std::filesystem::path settings = folder / "zoo.cfg";
        for (const absl::Status& written :
             {write(folder / "data" / "myid", concat(i, "\n")), write(folder / "log4j.properties", kLogging),
              write(settings, concat(kSettings, "dataDir=", (folder / "data").native(),
                                     "\nclientPortAddress=127.0.0.1\nclientPort=", server.port, "\n", members))}) {
            if (!written.ok()) return written;
        }
        // Small and quick to start: it holds kilobytes, and lives for years or for a test.
        server.argv = {java,
                       "-Xmx256m",
                       "-XX:+UseSerialGC",
                       "-XX:TieredStopAtLevel=1",
                       "-cp",
                       concat(folder.native(), jars),
                       "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                       settings.native()};
        ensemble.push_back(std::move(server));
    }
    return ensemble;
}

std::string ensembleAddress(const std::vector<ZooKeeperServer>& servers) {
    std::string hosts;
    for (const ZooKeeperServer& server : servers) {
        hosts += concat(hosts.empty() ? "" : ",", "127.0.0.1:", server.port);
    }
    return concat("zk://", hosts, "/stoa");
}

} // namespace stoa::cli
