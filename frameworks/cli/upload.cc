#include "frameworks/cli/upload.h"

#include "frameworks/sdk/agent_doors.h"
#include "protocol/http/client.h"
#include "protocol/strings.h"

#include <absl/strings/str_replace.h>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace stoa::cli {

namespace {

std::string randomToken() {
    unsigned char bytes[8]{};
    if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return concat(::getpid(), "-", ::time(nullptr));
    std::string token = "in";
    for (unsigned char byte : bytes) {
        token += "0123456789abcdef"[byte >> 4];
        token += "0123456789abcdef"[byte & 15];
    }
    return token;
}

} // namespace

absl::StatusOr<batch::JobInput> Uploader::input(const std::string& given, const batch::JobSpec& job) {
    batch::JobInput input;
    const bool remote = given.rfind("http://", 0) == 0 || given.rfind("file://", 0) == 0 || given.rfind("job:", 0) == 0;
    const std::size_t equals = given.find('=');
    // NAME=SOURCE, where a name has no slash of a URL or path before its "=".
    std::string source = given;
    if (equals != std::string::npos && given.substr(0, equals).find('/') == std::string::npos && !remote) {
        input.name = given.substr(0, equals);
        source = given.substr(equals + 1);
    }
    if (source.rfind("http://", 0) == 0 || source.rfind("file://", 0) == 0 || source.rfind("job:", 0) == 0) {
        input.source = source;
        return input;
    }
    if (input.name.empty()) input.name = source.substr(source.rfind('/') + 1);
    absl::StatusOr<Address> agent = nextAgent();
    if (!agent.ok()) return agent.status();
    const std::string name = randomToken();
    const bool each = source.find("%i") != std::string::npos;
    for (std::uint32_t position = 0; position < (each ? job.count : 1); ++position) {
        const std::uint32_t i = job.indexAt(position);
        const std::string path = absl::StrReplaceAll(source, {{"%i", concat(i)}});
        absl::Status status =
            put(path, sdk::uploadedFile(*agent, each ? concat(name, "-", i) : name), input.executable);
        if (!status.ok()) return status;
    }
    input.source = sdk::uploadedFile(*agent, name) + (each ? "-%i" : "");
    return input;
}

absl::Status Uploader::put(const std::string& path, const std::string& url, bool& executable) {
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return absl::NotFoundError(concat("--input: ", path, ": ", std::strerror(errno)));
    struct stat info {};
    if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return invalid("--input: ", path, " is no regular file; pack a directory with tar");
    }
    executable |= (info.st_mode & 0111) != 0;
    http::ClientRequest request;
    request.method = "PUT";
    request.url = url;
    request.body_fd = file.get();
    request.timeout = http::kNoTimeout;
    master_.identify(request);
    absl::StatusOr<http::ClientResponse> response = http::fetch(request);
    if (!response.ok()) return response.status();
    if (!response->ok()) return absl::InternalError(concat("--input: ", path, ": the agent says: ", response->body));
    return absl::OkStatus();
}

absl::StatusOr<Address> Uploader::nextAgent() {
    if (agents_.empty()) {
        absl::StatusOr<rapidjson::Document> json = master_.get("/slaves");
        if (!json.ok()) return json.status();
        for (const Json& agent : listAt(*json, "slaves")) {
            if (!truthAt(agent, "active")) continue;
            const std::string address = textAt(agent, "address");
            agents_.push_back(
                {address.substr(0, address.rfind(':')), static_cast<std::uint16_t>(integerAt(agent, "port"))});
        }
        if (agents_.empty()) return absl::UnavailableError("no agent is there to take the input files");
    }
    return agents_[next_++ % agents_.size()];
}

} // namespace stoa::cli
