#include "frameworks/mpi/plan.h"

#include "protocol/strings.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

namespace stoa::mpi {

std::vector<std::string> hydraCommand(const std::string& mpiexec, const Job& job, const std::vector<Place>& places,
                                      const std::string& own_address) {
    // Hydra starts one proxy for all that has one name. Several agents on one machine are told apart by made-up names,
    // which nobody is then to look up.
    std::set<std::string_view> names;
    for (const Place& place : places) names.insert(place.host);
    const bool shared = names.size() < places.size();
    std::string hosts;
    for (std::size_t i = 0; i < places.size(); ++i) {
        hosts += concat(hosts.empty() ? "" : ",", shared ? concat("place", i) : places[i].host, ":", places[i].ranks);
    }
    std::vector<std::string> argv = {mpiexec, "-launcher", "manual",          "-localhost", own_address,  "-hosts",
                                     hosts,   "-n",        concat(job.ranks), "-wdir",      job.directory};
    if (shared) argv.emplace_back("-disable-hostname-propagation");
    if (job.label) argv.emplace_back("-prepend-rank");
    argv.insert(argv.end(), job.argv.begin(), job.argv.end());
    return argv;
}

absl::Status LaunchLines::feed(std::string_view output) {
    constexpr std::string_view kLine = "HYDRA_LAUNCH: ";
    constexpr std::string_view kEnd = "HYDRA_LAUNCH_END";
    pending_ += output;
    for (std::size_t end = 0; !complete_ && (end = pending_.find('\n')) != std::string::npos;) {
        const std::string line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        if (line == kEnd) {
            complete_ = true;
        } else if (line.starts_with(kLine)) {
            std::vector<std::string> words;
            for (std::string_view word : split(std::string_view(line).substr(kLine.size()), ' ')) {
                if (!word.empty()) words.emplace_back(word);
            }
            if (words.empty()) return invalid("Hydra prints an empty command of a proxy");
            proxies_.push_back(std::move(words));
        } else {
            return invalid("Hydra prints \"", line, "\" where its proxies' commands are expected");
        }
    }
    if (complete_ && proxies_.size() != places_) {
        return invalid("Hydra wants ", proxies_.size(), " proxies for ", places_, " agents");
    }
    return absl::OkStatus();
}

namespace {

// Fields of an ELF file, each look checked against the file's end.
template <class Header, class Segment, class Dynamic>
class Elf {
public:
    explicit Elf(std::string_view file) : file_(file) {}

    std::vector<std::string> needed() const {
        const std::optional<Header> header = at<Header>(0);
        if (!header) return {};
        std::vector<Segment> segments;
        for (std::size_t i = 0; i < header->e_phnum; ++i) {
            const std::optional<Segment> segment = at<Segment>(header->e_phoff + i * header->e_phentsize);
            if (!segment) return {};
            segments.push_back(*segment);
        }
        const auto dynamic = std::find_if(segments.begin(), segments.end(),
                                          [](const Segment& segment) { return segment.p_type == PT_DYNAMIC; });
        if (dynamic == segments.end()) return {};
        std::vector<std::uint64_t> names;
        std::uint64_t strings = 0;
        for (std::uint64_t offset = 0; offset + sizeof(Dynamic) <= dynamic->p_filesz; offset += sizeof(Dynamic)) {
            const std::optional<Dynamic> entry = at<Dynamic>(dynamic->p_offset + offset);
            if (!entry || entry->d_tag == DT_NULL) break;
            if (entry->d_tag == DT_NEEDED) names.push_back(entry->d_un.d_val);
            if (entry->d_tag == DT_STRTAB) strings = entry->d_un.d_ptr;
        }
        // The table's address in memory is somewhere in a loaded segment of the file.
        const auto loaded = std::find_if(segments.begin(), segments.end(), [&](const Segment& segment) {
            return segment.p_type == PT_LOAD && strings >= segment.p_vaddr &&
                   strings - segment.p_vaddr < segment.p_filesz;
        });
        if (loaded == segments.end()) return {};
        std::vector<std::string> libraries;
        for (std::uint64_t name : names) {
            const std::uint64_t from = strings - loaded->p_vaddr + loaded->p_offset + name;
            if (from >= file_.size()) continue;
            const std::size_t end = file_.find('\0', from);
            if (end != std::string_view::npos) libraries.emplace_back(file_.substr(from, end - from));
        }
        return libraries;
    }

private:
    template <class T>
    std::optional<T> at(std::uint64_t offset) const {
        if (offset > file_.size() || file_.size() - offset < sizeof(T)) return std::nullopt;
        T value;
        std::memcpy(&value, file_.data() + offset, sizeof(T));
        return value;
    }

    std::string_view file_;
};

} // namespace

std::vector<std::string> neededLibraries(std::string_view file) {
    if (file.size() < EI_NIDENT || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0) return {};
    if (file[EI_DATA] != ELFDATA2LSB) return {};
    if (file[EI_CLASS] == ELFCLASS64) return Elf<Elf64_Ehdr, Elf64_Phdr, Elf64_Dyn>(file).needed();
    if (file[EI_CLASS] == ELFCLASS32) return Elf<Elf32_Ehdr, Elf32_Phdr, Elf32_Dyn>(file).needed();
    return {};
}

absl::Status runsUnderHydra(const std::string& program, const std::vector<std::string>& libraries) {
    for (const std::string& library : libraries) {
        // libmpi.so.12 is the interface that MPICH and its relatives share; Debian's MPICH is libmpich.so.12.
        const bool of_mpich = library.starts_with("libmpich.so") || library == "libmpi.so.12";
        if (of_mpich) return absl::OkStatus();
        const bool of_another = library.starts_with("libmpi.so") || library.starts_with("libmpi_") ||
                                library.starts_with("libopen-rte.so") || library.starts_with("libopen-pal.so");
        if (of_another) {
            return absl::FailedPreconditionError(
                concat(program, " is built for another MPI: it needs ", library,
                       library == "libmpi.so.40" ? ", which is Open MPI's" : "",
                       "; `stoa mpi` starts programs that are built for MPICH (libmpich.so.12), as with mpicc.mpich"));
        }
    }
    return absl::OkStatus();
}

} // namespace stoa::mpi
