// Programs that read a master's whole state again and again, as monitors do: so many processes, each of which GETs /state,
// parses all of it, counts the tasks that it found, and begins anew at once.
//
//     build/bench/readers_bench --url=http://127.0.0.1:5050/state [--readers=20]
//
// Says "reading" when each has read one. For each line on its standard input it tells what was read since the last:
// "read STATES BYTES TASKS P50 WORST" (of the time from asking to having parsed, milliseconds). Ends with its input.
#include "protocol/http/client.h"
#include "protocol/strings.h"
#include "tests/bench/metrics.h"

#include <CLI/CLI.hpp>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace stoa {
namespace {

using bench::fail;
using Clock = std::chrono::steady_clock;

// Of one reader, in memory that it shares with the one who tells.
struct Read {
    static constexpr std::size_t kTimes = 4096; // the latest so many
    std::atomic<std::uint64_t> states{0};
    std::atomic<std::uint64_t> bytes{0};
    std::atomic<std::uint64_t> tasks{0};
    std::array<std::atomic<std::uint32_t>, kTimes> micros{};
};

// Takes in the whole text; of what it sees it counts the objects in arrays called "tasks".
struct Counter : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Counter> {
    std::uint64_t tasks = 0;
    bool Key(const char* text, rapidjson::SizeType length, bool) {
        key_is_tasks_ = std::string_view(text, length) == "tasks";
        return true;
    }
    bool StartArray() { return begin(key_is_tasks_); }
    bool EndArray(rapidjson::SizeType) { return end(); }
    bool StartObject() {
        if (!inside_.empty() && inside_.back()) ++tasks;
        return begin(false);
    }
    bool EndObject(rapidjson::SizeType) { return end(); }

private:
    bool begin(bool tasks_array) {
        inside_.push_back(tasks_array);
        key_is_tasks_ = false;
        return true;
    }
    bool end() {
        inside_.pop_back();
        return true;
    }
    std::vector<bool> inside_; // what is open, outermost first: whether it is an array of tasks
    bool key_is_tasks_ = false;
};

// A process of its own; never returns.
[[noreturn]] void readOnAndOn(const std::string& url, Read& read) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        const auto begin = Clock::now();
        http::ClientRequest request;
        request.url = url;
        request.timeout = std::chrono::minutes(5);
        request.max_body_bytes = std::size_t{4} << 30;
        absl::StatusOr<http::ClientResponse> answer = http::fetch(request);
        if (!answer.ok()) fail(toStd(answer.status().message()));
        if (!answer->ok()) fail(concat(url, " answers ", answer->status));
        const std::size_t size = answer->body.size();
        Counter counter;
        rapidjson::Reader reader;
        rapidjson::InsituStringStream text(answer->body.data());
        if (!reader.Parse<rapidjson::kParseInsituFlag>(text, counter)) {
            fail(concat(url, " is no JSON: ", rapidjson::GetParseError_En(reader.GetParseErrorCode())));
        }
        const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count();
        const std::uint64_t number = read.states.load();
        read.micros[number % Read::kTimes] = static_cast<std::uint32_t>(micros);
        read.bytes += size;
        read.tasks += counter.tasks;
        read.states = number + 1;
    }
}

int run(int argc, char** argv) {
    std::string url;
    std::size_t readers = 20;
    CLI::App app("Processes that read a master's state again and again.");
    app.add_option("--url", url, "what they read")->required();
    app.add_option("--readers", readers, "processes")->check(CLI::Range(1, 1'000))->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    void* shared = ::mmap(nullptr, readers * sizeof(Read), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fail("no memory");
    std::vector<Read*> reads;
    for (std::size_t i = 0; i < readers; ++i) {
        reads.push_back(new (static_cast<char*>(shared) + i * sizeof(Read)) Read);
        const pid_t pid = ::fork();
        if (pid < 0) fail("no process");
        if (pid == 0) readOnAndOn(url, *reads.back());
    }
    const auto lives = [] {
        if (::waitpid(-1, nullptr, WNOHANG) > 0) fail("a reader ended");
    };
    while (std::any_of(reads.begin(), reads.end(), [](const Read* one) { return one->states == 0; })) {
        lives();
        ::poll(nullptr, 0, 10);
    }
    std::printf("reading\n");
    std::fflush(stdout);
    struct Sum {
        std::uint64_t states = 0, bytes = 0, tasks = 0;
    };
    std::vector<Sum> told(readers);
    for (std::string line; std::getline(std::cin, line);) {
        lives();
        Sum since;
        std::vector<double> millis;
        for (std::size_t i = 0; i < readers; ++i) {
            const Sum now{reads[i]->states, reads[i]->bytes, reads[i]->tasks};
            for (std::uint64_t one = std::max(told[i].states, now.states - std::min(now.states, Read::kTimes));
                 one < now.states; ++one) {
                millis.push_back(reads[i]->micros[one % Read::kTimes] / 1e3);
            }
            since.states += now.states - told[i].states;
            since.bytes += now.bytes - told[i].bytes;
            since.tasks += now.tasks - told[i].tasks;
            told[i] = now;
        }
        std::sort(millis.begin(), millis.end());
        std::printf("read %llu %llu %llu %.0f %.0f\n", static_cast<unsigned long long>(since.states),
                    static_cast<unsigned long long>(since.bytes), static_cast<unsigned long long>(since.tasks),
                    millis.empty() ? 0 : millis[millis.size() / 2], millis.empty() ? 0 : millis.back());
        std::fflush(stdout);
    }
    std::fflush(nullptr);
    std::_Exit(0); // the readers die with their parent
}

} // namespace
} // namespace stoa

int main(int argc, char** argv) { return stoa::run(argc, argv); }
