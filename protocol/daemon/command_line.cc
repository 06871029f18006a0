#include "protocol/daemon/command_line.h"

#include "protocol/strings.h"
#include "protocol/version.h"

#include <absl/time/time.h>
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <cstdlib>
#include <iostream>

// gflags ends the process by this on a flag that it doesn't know or can't read.
namespace google {
extern void (*gflags_exitfunc)(int);
}

namespace stoa::command_line {

namespace {

constexpr int kMostHours = 24 * 3650;

std::string flagValue(const char* flag) {
    std::string value;
    google::GetCommandLineOption(flag, &value);
    return value;
}

} // namespace

void parse(const char* main_file, const std::string& what, int* argc, char*** argv) {
    google::gflags_exitfunc = [](int code) { std::exit(code == 0 ? 0 : kUsage); };
    google::SetVersionString(kVersion);
    google::SetUsageMessage(what + "\n\nExit codes: 0 as asked, 1 a failure, 2 a wrong flag.");
    google::SetCommandLineOption("logtostderr", "true");
    google::ParseCommandLineNonHelpFlags(argc, argv, true);
    // gflags' own --help lists every library's flags, and exits as if something were wrong.
    if (flagValue("help") == "true") {
        google::ShowUsageWithFlagsRestrict((*argv)[0], main_file);
        std::exit(0);
    }
    google::HandleCommandLineHelpFlags();
    if (*argc > 1) usageError(concat("\"", (*argv)[1], "\" is no flag; see --help"));
    google::InitGoogleLogging((*argv)[0]);
}

void usageError(std::string_view what) {
    std::cerr << google::ProgramInvocationShortName() << ": " << what << "\n";
    std::exit(kUsage);
}

Duration duration(std::string_view flag, const std::string& text) {
    absl::Duration duration;
    if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration() ||
        duration > absl::Hours(kMostHours)) {
        usageError(concat("--", flag, ": \"", text, "\" is no duration; write 75s, 500ms, 2m or 168h"));
    }
    return absl::ToChronoNanoseconds(duration);
}

std::uint16_t port(std::string_view flag, std::int32_t value) {
    if (value < 0 || value > 65535) usageError(concat("--", flag, ": ", value, " is not 0 to 65535"));
    return static_cast<std::uint16_t>(value);
}

void requireLoopback(std::string_view ip, bool insecure, const SharedCredentials& credentials) {
    if (insecure || credentials || ip == "localhost" || ip == "::1" || ip.rfind("127.", 0) == 0) return;
    usageError(
        concat("--ip: ", ip,
               " can be reached from other machines, and nobody has to prove who he is: give --credentials=FILE (`stoa "
               "credentials new` makes it), or --insecure if whoever reaches the port may use the cluster"));
}

SharedCredentials credentials(const std::string& file, CredentialsOf whose) {
    if (file.empty()) return nullptr;
    absl::StatusOr<SharedCredentials> read = readCredentials(file, whose);
    if (!read.ok()) usageError(concat("--credentials: ", toStd(read.status().message())));
    return *std::move(read);
}

std::vector<std::pair<std::string, std::string>> flagsOf(const char* main_file) {
    std::vector<google::CommandLineFlagInfo> all;
    google::GetAllFlags(&all);
    std::vector<std::pair<std::string, std::string>> own;
    for (const google::CommandLineFlagInfo& flag : all) {
        if (flag.filename.find(main_file) != std::string::npos) own.emplace_back(flag.name, flag.current_value);
    }
    return own;
}

int exitCode(const absl::Status& ended) {
    if (ended.ok()) return 0;
    std::cerr << google::ProgramInvocationShortName() << ": " << ended.message() << "\n";
    return absl::IsInvalidArgument(ended) ? kUsage : kFailure;
}

} // namespace stoa::command_line
