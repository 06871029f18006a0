#include "agent/fetcher.h"

#include "protocol/host_port.h"
#include "protocol/http/client.h"
#include "protocol/http/files.h"
#include "protocol/http/gate.h"
#include "protocol/strings.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace stoa::agent {
namespace {

constexpr std::string_view kFileScheme = "file://";
constexpr std::string_view kHttpScheme = "http://";

// This thread meets the file system as the task's user until the object goes. The identity is the kernel's, a thread's
// own: glibc's wrappers would change the whole process. As root only; another agent has no other identity.
class AsUser {
public:
    AsUser(uid_t uid, gid_t gid) : root_(::geteuid() == 0) {
        if (!root_) return;
        ::syscall(SYS_setgroups, 0, nullptr);
        ::setfsgid(gid);
        ::setfsuid(uid);
    }
    ~AsUser() {
        if (!root_) return;
        ::setfsuid(0);
        ::setfsgid(0);
    }
    AsUser(const AsUser&) = delete;
    AsUser& operator=(const AsUser&) = delete;
    // Asking with an impossible id changes nothing and tells.
    bool is(uid_t uid) const { return !root_ || static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1))) == uid; }

private:
    bool root_;
};

bool readable(int fd) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, 0) > 0;
}

absl::Status systemError(std::string_view what) {
    return absl::UnavailableError(concat(what, ": ", std::strerror(errno)));
}

absl::Status copyFile(const std::string& path, int to, int cancel) {
    const UniqueFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!from) return systemError("cannot open it");
    struct stat info {};
    if (::fstat(from.get(), &info) != 0 || !S_ISREG(info.st_mode)) return invalid("it is not a regular file");
    for (;;) {
        if (readable(cancel)) return absl::CancelledError("cancelled");
        const ssize_t copied = ::copy_file_range(from.get(), nullptr, to, nullptr, std::size_t{64} << 20, 0);
        if (copied == 0) return absl::OkStatus();
        if (copied > 0) continue;
        if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
            return systemError("cannot copy it");
        break; // between these file systems the kernel doesn't
    }
    std::vector<char> buffer(std::size_t{1} << 20);
    for (;;) {
        if (readable(cancel)) return absl::CancelledError("cancelled");
        const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
        if (got == 0) return absl::OkStatus();
        if (got < 0) return systemError("cannot read it");
        for (ssize_t done = 0; done < got;) {
            const ssize_t wrote = ::write(to, buffer.data() + done, static_cast<std::size_t>(got - done));
            if (wrote < 0) return systemError("cannot write it");
            done += wrote;
        }
    }
}

// What asks an agent's door for a task's input; elsewhere the code says nothing to anybody, and isn't sent.
void addAuthorization(http::ClientRequest& request, const SharedCredentials& credentials) {
    if (!credentials) return;
    const absl::StatusOr<http::Url> url = http::parseUrl(request.url);
    if (!url.ok() || !http::fetchedByAgents(url->target)) return;
    request.headers.emplace_back(
        "Authorization", http::agentAuthorization(*credentials, hostAndPort(url->host, url->port), url->target));
}

} // namespace

std::string targetOf(const InputSpec& input) {
    if (!input.output_file.empty()) return input.output_file;
    std::string_view uri = input.uri;
    uri = uri.substr(0, uri.find_first_of("?#"));
    const std::size_t slash = uri.rfind('/');
    const std::string_view last = slash == std::string_view::npos ? uri : uri.substr(slash + 1);
    return http::percentDecode(last, false).value_or(std::string(last));
}

Fetcher::Fetcher(Options options) : options_(std::move(options)), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    for (std::size_t i = 0; i < options_.threads; ++i) {
        threads_.emplace_back([this] { work(); });
        ::pthread_setname_np(threads_.back().native_handle(), "fetcher");
    }
}

Fetcher::~Fetcher() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        for (auto& [key, cancel] : under_way_) ::eventfd_write(cancel->event.get(), 1);
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void Fetcher::submit(Job job) {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= options_.most_jobs) {
        results_.push_back({job.key, absl::ResourceExhaustedError("too many tasks wait for their input files here")});
        ::eventfd_write(event_.get(), 1);
        return;
    }
    under_way_[job.key] = std::make_shared<Cancel>(Cancel{UniqueFd(::eventfd(0, EFD_CLOEXEC))});
    jobs_.push_back(std::move(job));
    wake_.notify_one();
}

void Fetcher::cancel(const TaskKey& key) {
    const std::lock_guard lock(mutex_);
    const auto found = under_way_.find(key);
    if (found != under_way_.end()) ::eventfd_write(found->second->event.get(), 1);
}

std::vector<Fetcher::Result> Fetcher::take() {
    eventfd_t ignored = 0;
    ::eventfd_read(event_.get(), &ignored);
    const std::lock_guard lock(mutex_);
    return std::exchange(results_, {});
}

void Fetcher::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (stopping_) return;
        const Job job = std::move(jobs_.front());
        jobs_.pop_front();
        const std::shared_ptr<Cancel> cancel = under_way_[job.key];
        lock.unlock();
        absl::Status status = fetchAll(job, *cancel);
        lock.lock();
        under_way_.erase(job.key);
        results_.push_back({job.key, std::move(status)});
        ::eventfd_write(event_.get(), 1);
    }
}

absl::Status Fetcher::fetchAll(const Job& job, const Cancel& cancel) const {
    // The folders above the sandbox may be closed to the user, so it is opened before.
    const UniqueFd sandbox(::open(job.sandbox.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!sandbox) return systemError(concat("cannot open the sandbox ", job.sandbox.string()));
    const std::string root = concat("/proc/self/fd/", sandbox.get());
    const AsUser as(job.uid, job.gid);
    if (!as.is(job.uid)) return absl::InternalError("cannot take on the task's user to fetch its input files");
    for (const InputSpec& input : job.inputs) {
        const auto because = [&](const absl::Status& status) {
            const std::string said(status.message());
            const bool named = said.find(input.uri) != std::string::npos; // the client names what it asks for
            return absl::Status(status.code(), toAbsl(concat("input ", named ? "" : input.uri + ": ", said)));
        };
        if (readable(cancel.event.get())) return because(absl::CancelledError("cancelled"));
        if (input.extract) {
            return because(absl::UnimplementedError("this agent doesn't unpack archives; let the command do it"));
        }
        absl::StatusOr<UniqueFd> file = http::createBelow(root, targetOf(input), input.executable ? 0755 : 0644);
        if (!file.ok()) return because(file.status());
        absl::Status got = absl::InvalidArgumentError("neither http:// nor file://");
        if (input.uri.starts_with(kHttpScheme)) {
            http::ClientRequest request;
            request.url = input.uri;
            addAuthorization(request, options_.credentials);
            request.idle_timeout = options_.idle_timeout;
            request.cancel_fd = cancel.event.get();
            got = http::download(std::move(request), file->get()).status();
        } else if (input.uri.starts_with(kFileScheme)) {
            const auto path = http::percentDecode(std::string_view(input.uri).substr(kFileScheme.size()), false);
            got = path ? copyFile(*path, file->get(), cancel.event.get()) : invalid("malformed escape");
        }
        if (!got.ok()) return because(got);
    }
    return absl::OkStatus();
}

} // namespace stoa::agent
