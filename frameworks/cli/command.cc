#include "frameworks/cli/command.h"

#include "protocol/boot_clock.h"
#include "protocol/credentials/own_credential_file.h"
#include "protocol/host_port.h"
#include "protocol/http/client.h"
#include "protocol/http/gate.h"
#include "protocol/leader/detector.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace stoa::cli {

namespace {

// How long a command waits for a leader, which an election may take.
constexpr Duration kLeaderPatience = std::chrono::seconds(30);
constexpr int kMostRedirects = 3;

} // namespace

int fail(const absl::Status& status, int code) { return fail(toStd(status.message()), code); }

int fail(std::string_view message, int code) {
    std::cerr << "stoa: " << message << "\n";
    return code;
}

absl::StatusOr<MasterClient> MasterClient::find(const Context& context) {
    absl::StatusOr<MasterAddress> address = findMaster(context.master, clusterDirectory(context.directory));
    if (!address.ok()) return address.status();
    MasterClient client(*std::move(address));
    client.credential_file_ = ownCredentialFile(context.credential);
    if (client.credential_file_.empty()) return client;
    absl::StatusOr<SharedCredentials> read = readCredentials(client.credential_file_, CredentialsOf::kClient);
    if (!read.ok()) return read.status();
    client.credentials_ = *std::move(read);
    return client;
}

void MasterClient::identify(http::ClientRequest& request) const {
    if (credentials_) request.headers.emplace_back("Authorization", http::basicAuthorization(*credentials_));
}

absl::StatusOr<http::ClientResponse> MasterClient::ask(const std::string& target) const {
    const Time end = bootTime() + kLeaderPatience;
    for (int redirects = 0;;) {
        if (address_.http.empty()) {
            absl::StatusOr<MasterInfo> leader =
                detectLeader(address_.zookeeper, std::max<Duration>(end - bootTime(), std::chrono::seconds(1)),
                             {.fixed_port = FixedPort::kHttp});
            if (!leader.ok()) return leader.status();
            address_.http = "http://" + leader->httpAddress();
        }
        http::ClientRequest request;
        request.url = address_.http + target;
        identify(request);
        absl::StatusOr<http::ClientResponse> response = http::fetch(request);
        // One that was killed is named until its session with ZooKeeper has expired.
        const bool away = response.ok() ? response->status == 503 : absl::IsUnavailable(response.status());
        if (away && !address_.zookeeper.empty() && bootTime() < end) {
            address_.http.clear();
            ::poll(nullptr, 0, 300);
            continue;
        }
        if (!response.ok() || response->status != 307 || ++redirects > kMostRedirects) return response;
        std::string leader(response->header("Location"));
        if (leader.starts_with("//")) leader.insert(0, "http:");
        absl::StatusOr<http::Url> url = http::parseUrl(leader);
        if (!url.ok()) return url.status();
        address_.http = concat("http://", hostAndPort(url->host, url->port));
    }
}

absl::StatusOr<rapidjson::Document> MasterClient::get(const std::string& target) const {
    absl::StatusOr<http::ClientResponse> response = ask(target);
    const std::string url = address_.http + target;
    if (!response.ok()) {
        if (!absl::IsUnavailable(response.status()) || address_.http.empty()) return response.status();
        return absl::UnavailableError(
            concat("no master answers at ", address_.http, "; `stoa up` starts a cluster, --master names another one"));
    }
    if (response->status == 401 || response->status == 403) {
        return absl::PermissionDeniedError(concat(
            address_.http, ": ", trimmed(response->body),
            credentials_ ? concat(" (given: \"", credentials_->principal, "\", of ", credential_file_, ")") : ""));
    }
    if (!response->ok()) {
        return absl::InternalError(concat(url, ": ", response->status, " ", response->body.substr(0, 500)));
    }
    return parseJson(response->body, url);
}

absl::StatusOr<std::string> MasterClient::wireAddress() const {
    if (!address_.wire.empty()) return address_.wire;
    absl::StatusOr<rapidjson::Document> state = get("/state");
    if (!state.ok()) return state.status();
    std::int64_t port = integerAt(*state, "wire_port");
    if (port == 0) port = 5052;
    absl::StatusOr<http::Url> url = http::parseUrl(address_.http);
    if (!url.ok()) return url.status();
    const bool brackets = url->host.find(':') != std::string::npos;
    return brackets ? concat("[", url->host, "]:", port) : concat(url->host, ":", port);
}

absl::StatusOr<double> parseMegabytes(std::string_view text) {
    double factor = 1;
    std::string_view digits = text;
    if (!digits.empty()) {
        switch (digits.back()) {
        case 'k':
        case 'K': factor = 1.0 / 1024; break;
        case 'm':
        case 'M': factor = 1; break;
        case 'g':
        case 'G': factor = 1024; break;
        case 't':
        case 'T': factor = 1024 * 1024; break;
        default: factor = 0;
        }
        if (factor != 0) {
            digits.remove_suffix(1);
        } else {
            factor = 1;
        }
    }
    double value = 0;
    if (!absl::SimpleAtod(toAbsl(digits), &value) || !(value > 0) || value > 1e12) {
        return invalid("\"", text, "\" is no amount of memory; write 512, 512M or 2G");
    }
    return value * factor;
}

absl::Status addEnvironment(const std::vector<std::string>& settings, std::map<std::string, std::string>& environment) {
    for (const std::string& setting : settings) {
        const std::size_t equals = setting.find('=');
        const std::string name = setting.substr(0, equals);
        if (name.empty()) return invalid("--env: \"", setting, "\" is not of the form NAME=VALUE or NAME");
        if (equals != std::string::npos) {
            environment[name] = setting.substr(equals + 1);
        } else if (const char* value = std::getenv(name.c_str())) {
            environment[name] = value;
        } else {
            return invalid("--env: ", name, " is not set here, so there is no value to pass on");
        }
    }
    return absl::OkStatus();
}

std::string ownUserName() {
    const passwd* entry = ::getpwuid(::geteuid());
    return entry ? entry->pw_name : "";
}

} // namespace stoa::cli
