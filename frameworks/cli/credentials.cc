// `stoa credentials`: the files by which masters, agents and everybody else know each other beyond one machine.
#include "protocol/credentials/credentials.h"
#include "frameworks/cli/command.h"
#include "protocol/credentials/principals.h"
#include "protocol/strings.h"
#include "protocol/unique_fd.h"
#include "protocol/wire/curve.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stoa::cli {

namespace {

constexpr std::uint8_t kAgent = static_cast<std::uint8_t>(Right::kAgent);
constexpr std::uint8_t kFramework = static_cast<std::uint8_t>(Right::kFramework);
constexpr std::uint8_t kOperator = static_cast<std::uint8_t>(Right::kOperator);

// Files of those who admit others; a set has all of them.
constexpr std::string_view kMasters = "masters";
constexpr std::string_view kAgents = "agents";
constexpr std::string_view kBatch = kBatchPrincipal;

std::filesystem::path fileOf(const std::string& directory, std::string_view name) {
    return std::filesystem::path(directory) / concat(name, ".json");
}

// Whole or not at all, and its owner's alone from its first byte on.
absl::Status writeSecret(const std::filesystem::path& path, const std::string& text, bool replaces) {
    const std::string part = path.string() + ".part";
    const auto failed = [&] { return absl::UnavailableError(concat(path.string(), ": ", std::strerror(errno))); };
    ::unlink(part.c_str());
    UniqueFd file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return failed();
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(file.get()) != 0)
        return failed();
    if (!replaces && ::access(path.c_str(), F_OK) == 0) {
        ::unlink(part.c_str());
        return absl::AlreadyExistsError(
            concat(path.string(), " is there already, and whoever uses it would be locked out"));
    }
    return ::rename(part.c_str(), path.c_str()) == 0 ? absl::OkStatus() : failed();
}

struct Member {
    std::string principal;
    std::uint8_t rights = 0;
    KeyPair keys = newKeyPair();

    Admitted admitted() const { return {principal, keys.public_key, rights}; }
    Credentials own(const std::string& server) const { return {principal, keys.secret, keys.public_key, server, {}}; }
};

int makeSet(const std::string& directory) {
    std::error_code error;
    const bool made = std::filesystem::create_directories(directory, error);
    if (error) return fail(concat(directory, ": ", error.message()));
    if (made) ::chmod(directory.c_str(), 0700);
    for (const std::string_view name : {kMasters, kAgents, kBatch}) {
        if (std::filesystem::exists(fileOf(directory, name), error)) {
            return fail(concat(fileOf(directory, name).string(),
                               " is there already: name a new directory, or take one more "
                               "principal in by `stoa credentials add`"));
        }
    }
    const Member agent{"agent", kAgent};
    const Member batch{std::string(kBatchPrincipal), kFramework};
    const Member operators{"operator", static_cast<std::uint8_t>(kOperator | kFramework)};
    const Member framework{"framework", kFramework};
    const KeyPair master = newKeyPair();
    const std::vector<Admitted> readers = {batch.admitted(), operators.admitted(), framework.admitted()};

    Credentials masters{"", master.secret, master.public_key, "", readers};
    masters.admitted.insert(masters.admitted.begin(), agent.admitted());
    Credentials agents = agent.own(master.public_key);
    agents.admitted = readers;
    Credentials queue = batch.own(master.public_key);
    queue.admitted = {operators.admitted(), framework.admitted()};
    const std::pair<std::string_view, Credentials> files[] = {{kMasters, masters},
                                                              {kAgents, agents},
                                                              {kBatch, queue},
                                                              {"operator", operators.own(master.public_key)},
                                                              {"framework", framework.own(master.public_key)}};
    for (const auto& [name, credentials] : files) {
        if (absl::Status written = writeSecret(fileOf(directory, name), toJson(credentials), false); !written.ok())
            return fail(written);
    }
    const auto at = [&](std::string_view name) { return fileOf(directory, name).string(); };
    std::cout << "Each of these files belongs on the machines that need it, readable by its user alone:\n"
              << "  " << at(kMasters) << "    each master:  stoa-master --credentials=FILE\n"
              << "  " << at(kAgents) << "     each agent:   stoa-agent --credentials=FILE\n"
              << "  " << at(kBatch) << "      the queue:    stoa-batch --credentials=FILE\n"
              << "  " << at("operator") << "   operators:    export STOA_CREDENTIAL=FILE, then stoa …\n"
              << "  " << at("framework") << "  frameworks:   likewise, or DriverOptions::credential\n"
              << "A browser asks for principal and secret, as `stoa credentials show FILE` prints them.\n";
    return 0;
}

absl::StatusOr<Credentials> readOwn(const std::filesystem::path& path) {
    std::ifstream file(path);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    if (!file) return absl::NotFoundError(concat(path.string(), " can't be read: `stoa credentials new` makes a set"));
    absl::StatusOr<Credentials> credentials = parseCredentials(text);
    if (credentials.ok()) return credentials;
    return invalid(path.string(), ": ", toStd(credentials.status().message()));
}

int addPrincipal(const std::string& directory, const std::string& name, const std::vector<std::string>& may) {
    if (!isPrincipal(name))
        return fail(concat("\"", name, "\" is no principal's name: letters, digits and \"._-\""), kUsage);
    std::uint8_t rights = 0;
    for (const std::string& right : may) {
        const std::uint8_t bit = rightOf(right);
        if (bit == 0) return fail(concat("--may: \"", right, "\" is none of agent, framework, operator"), kUsage);
        rights |= bit;
    }
    if ((rights & kAgent) != 0 && rights != kAgent) return fail("--may: an agent is nothing else besides", kUsage);
    if (rights == kAgent) {
        // They fetch from each other under one secret.
        return fail("agents share one principal: give further ones the set's agents.json", kUsage);
    }
    const Member member{name, rights};
    std::vector<std::pair<std::string_view, Credentials>> files;
    for (const std::string_view file : {kMasters, kAgents, kBatch}) {
        absl::StatusOr<Credentials> credentials = readOwn(fileOf(directory, file));
        if (!credentials.ok()) return fail(credentials.status());
        if (credentials->find(name) != nullptr || credentials->principal == name) {
            return fail(concat(fileOf(directory, file).string(), " has a principal \"", name, "\" already"));
        }
        credentials->admitted.push_back(member.admitted());
        files.emplace_back(file, *std::move(credentials));
    }
    // First the new secret: without the rest it opens nothing.
    absl::Status written =
        writeSecret(fileOf(directory, name), toJson(member.own(files.front().second.public_key)), false);
    for (const auto& [file, credentials] : files) {
        if (written.ok()) written = writeSecret(fileOf(directory, file), toJson(credentials), true);
    }
    if (!written.ok()) return fail(written);
    std::cout
        << fileOf(directory, name).string() << " is for \"" << name << "\".\n"
        << "Masters, agents and stoa-batch admit it when they are started again with masters.json, agents.json and "
           "batch.json as they are now.\n";
    return 0;
}

int show(const std::string& file) {
    absl::StatusOr<SharedCredentials> credentials = readCredentials(file, CredentialsOf::kClient);
    if (!credentials.ok()) return fail(credentials.status());
    std::cout << (*credentials)->principal << ":" << (*credentials)->secret << "\n";
    return 0;
}

} // namespace

void addCredentials(CLI::App& app, Context& context) {
    CLI::App* group = app.add_subcommand("credentials", "who may use a cluster that other machines can reach");
    group->require_subcommand(1);
    auto directory = std::make_shared<std::string>();
    auto name = std::make_shared<std::string>();
    auto may = std::make_shared<std::vector<std::string>>();

    CLI::App* make =
        group->add_subcommand("new", "make a set of files: masters', agents', batch's, operators', frameworks'");
    make->footer("Example:\n  stoa credentials new /etc/stoa/credentials");
    make->add_option("directory", *directory, "where the files go")->required();
    make->callback([directory, &context] { context.exit_code = makeSet(*directory); });

    CLI::App* add = group->add_subcommand("add", "make a file for one more principal, and have the set admit it");
    add->footer("Example:\n  stoa credentials add /etc/stoa/credentials alice --may=framework,operator");
    add->add_option("directory", *directory, "where the set is")->required();
    add->add_option("name", *name, "of the principal: letters, digits and \"._-\"")->required();
    add->add_option("--may", *may,
                    "framework: register frameworks, and look; operator: look, and change what is others'")
        ->delimiter(',')
        ->required();
    add->callback([directory, name, may, &context] { context.exit_code = addPrincipal(*directory, *name, *may); });

    CLI::App* shown = group->add_subcommand("show", "print a file's PRINCIPAL:SECRET, as curl and browsers want it");
    shown->footer("Example:\n  curl -u \"$(stoa credentials show operator.json)\" http://master:5050/state");
    shown->add_option("file", *directory, "of a client: operator.json, framework.json, …")->required();
    shown->callback([directory, &context] { context.exit_code = show(*directory); });
}

} // namespace stoa::cli
