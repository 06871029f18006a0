#include "protocol/credentials/credentials.h"

#include "protocol/strings.h"
#include "protocol/unique_fd.h"
#include "protocol/wire/curve.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace stoa {
namespace {

using Json = rapidjson::Value;

constexpr off_t kMostBytes = 16 << 20;
constexpr std::size_t kLongestPrincipal = 64;
constexpr std::pair<Right, std::string_view> kRights[] = {
    {Right::kAgent, "agent"}, {Right::kFramework, "framework"}, {Right::kOperator, "operator"}};

std::string_view textOf(const Json& json) { return {json.GetString(), json.GetStringLength()}; }

absl::StatusOr<Admitted> readAdmitted(const Json& json) {
    if (!json.IsObject()) return invalid("admitted: an entry is no object");
    Admitted one;
    for (const auto& member : json.GetObject()) {
        const std::string_view name = textOf(member.name);
        if (name == "principal" && member.value.IsString()) {
            one.principal = textOf(member.value);
        } else if (name == "public" && member.value.IsString()) {
            one.public_key = textOf(member.value);
        } else if (name == "may" && member.value.IsArray()) {
            for (const Json& right : member.value.GetArray()) {
                const std::uint8_t bit = right.IsString() ? rightOf(textOf(right)) : 0;
                if (bit == 0) return invalid("admitted: may: give a list of \"agent\", \"framework\", \"operator\"");
                one.rights |= bit;
            }
        } else {
            return invalid("admitted: \"", name, "\" is not known here, or not of the right type");
        }
    }
    if (!isPrincipal(one.principal)) {
        return invalid("admitted: principal: \"", one.principal, "\" is not of letters, digits and \"._-\"");
    }
    if (!isKey(one.public_key)) return invalid("admitted: the public key of ", one.principal, " is none");
    return one;
}

absl::Status check(const Credentials& credentials, CredentialsOf whose) {
    const bool client = whose != CredentialsOf::kMaster;
    if (credentials.secret.empty()) return invalid("it has no \"secret\"");
    if (client && credentials.principal.empty()) return invalid("it has no \"principal\"");
    if (client && credentials.server.empty()) {
        return invalid("it has no \"server\", the masters' public key: is it the masters' own file?");
    }
    if (!client && !credentials.server.empty()) return invalid("it is a client's file, not the masters'");
    if (whose != CredentialsOf::kClient && credentials.admitted.empty()) {
        return invalid("it admits nobody: \"admitted\" is missing or empty");
    }
    return absl::OkStatus();
}

} // namespace

const Admitted* Credentials::find(std::string_view principal_) const {
    const auto found = std::find_if(admitted.begin(), admitted.end(),
                                    [&](const Admitted& one) { return one.principal == principal_; });
    return found == admitted.end() ? nullptr : &*found;
}

const Admitted* Credentials::withKey(std::string_view key) const {
    const auto found =
        std::find_if(admitted.begin(), admitted.end(), [&](const Admitted& one) { return one.public_key == key; });
    return found == admitted.end() ? nullptr : &*found;
}

bool Credentials::may(std::string_view principal_, Right right) const {
    const Admitted* one = find(principal_);
    return one != nullptr && one->may(right);
}

bool isPrincipal(std::string_view name) {
    return !name.empty() && name.size() <= kLongestPrincipal && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
    });
}

std::uint8_t rightOf(std::string_view name) {
    for (const auto& [right, text] : kRights) {
        if (text == name) return static_cast<std::uint8_t>(right);
    }
    return 0;
}

absl::StatusOr<Credentials> parseCredentials(std::string_view json) {
    rapidjson::Document document;
    // Iterative, so that no nesting can use up the stack.
    document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(json.data(), json.size());
    if (document.HasParseError()) {
        return invalid("it is not JSON: ", std::string_view(rapidjson::GetParseError_En(document.GetParseError())),
                       " At byte ", document.GetErrorOffset(), ".");
    }
    if (!document.IsObject()) return invalid("it is no JSON object");
    Credentials credentials;
    for (const auto& member : document.GetObject()) {
        const std::string_view name = textOf(member.name);
        if (name == "admitted") {
            if (!member.value.IsArray()) return invalid("admitted: is no list");
            for (const Json& entry : member.value.GetArray()) {
                absl::StatusOr<Admitted> one = readAdmitted(entry);
                if (!one.ok()) return one.status();
                // Which of two would count, nobody could tell.
                if (credentials.find(one->principal) != nullptr) {
                    return invalid("admitted: ", one->principal, " stands there twice");
                }
                if (credentials.withKey(one->public_key) != nullptr) {
                    return invalid("admitted: ", one->principal, " has the key of another principal");
                }
                credentials.admitted.push_back(*std::move(one));
            }
            continue;
        }
        std::string* const into = name == "principal" ? &credentials.principal
                                  : name == "secret"  ? &credentials.secret
                                  : name == "server"  ? &credentials.server
                                                      : nullptr;
        if (into == nullptr) return invalid("\"", name, "\" is not known");
        if (!member.value.IsString()) return invalid(name, ": is no text");
        *into = textOf(member.value);
    }
    if (!credentials.principal.empty() && !isPrincipal(credentials.principal)) {
        return invalid("principal: \"", credentials.principal, "\" is not of letters, digits and \"._-\"");
    }
    if (!credentials.secret.empty()) {
        const std::optional<std::string> key = publicKeyOf(credentials.secret);
        if (!key) return invalid("secret: is no key of 40 letters"); // and isn't shown
        credentials.public_key = *key;
    }
    if (!credentials.server.empty() && !isKey(credentials.server)) return invalid("server: is no key of 40 letters");
    return credentials;
}

absl::StatusOr<SharedCredentials> readCredentials(const std::string& path, CredentialsOf whose) {
    const auto refuse = [&](std::string_view why) { return invalid("the credentials in ", path, ": ", why); };
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0) return refuse(std::strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size > kMostBytes) return refuse("it is no file of credentials");
    if ((info.st_mode & 077) != 0) {
        return refuse(concat("others than its owner may use the file, and with it its secret: chmod 600 ", path));
    }
    std::string text(static_cast<std::size_t>(info.st_size), '\0');
    const ssize_t got = ::read(file.get(), text.data(), text.size());
    if (got < 0) return refuse(std::strerror(errno));
    text.resize(static_cast<std::size_t>(got));
    absl::StatusOr<Credentials> credentials = parseCredentials(text);
    if (!credentials.ok()) return refuse(toStd(credentials.status().message()));
    if (absl::Status complete = check(*credentials, whose); !complete.ok()) return refuse(toStd(complete.message()));
    return std::make_shared<const Credentials>(*std::move(credentials));
}

std::string toJson(const Credentials& credentials) {
    rapidjson::StringBuffer buffer;
    rapidjson::PrettyWriter<rapidjson::StringBuffer> json(buffer);
    const auto pair = [&](const char* name, const std::string& value) {
        if (value.empty()) return;
        json.Key(name);
        json.String(value.c_str());
    };
    json.SetIndent(' ', 2);
    json.StartObject();
    pair("principal", credentials.principal);
    pair("secret", credentials.secret);
    pair("server", credentials.server);
    if (!credentials.admitted.empty()) {
        json.Key("admitted");
        json.StartArray();
        for (const Admitted& one : credentials.admitted) {
            json.StartObject();
            pair("principal", one.principal);
            pair("public", one.public_key);
            json.Key("may");
            json.StartArray();
            for (const auto& [right, text] : kRights) {
                if (one.may(right)) json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
            }
            json.EndArray();
            json.EndObject();
        }
        json.EndArray();
    }
    json.EndObject();
    return std::string(buffer.GetString()) + "\n";
}

} // namespace stoa
