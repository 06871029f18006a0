// A command line as Slurm's tools take it: "-c 4", "-c4", "--cpus-per-task=4", "--cpus-per-task 4", short ones without a
// value in a bunch. Ends at "--" or at the first word that is no option. A plain value.
//
//   SlurmWords line(words, kOptions);
//   while (std::optional<SlurmWords::Option> option = line.next()) …
//   line.rest()
#pragma once

#include <absl/types/span.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::cli {

struct SlurmOption {
    std::string_view name;
    char letter = 0; // 0: none
    bool takes_value = false;
    bool may_take_value = false; // only behind "="
};

class SlurmWords {
public:
    SlurmWords(std::vector<std::string> words, absl::Span<const SlurmOption> options)
        : words_(std::move(words)), options_(options) {}

    struct Option {
        std::string name; // the long one
        std::string value;
        std::string as_written; // "-c", "--cpus"
        bool known = false;
        std::string problem; // "is no option", "needs a value"; empty: none
    };
    std::optional<Option> next();
    // Behind an option that isn't known: if the next word looks like its value, it is passed over.
    void skipValue();
    std::vector<std::string> rest() const { return {words_.begin() + static_cast<std::ptrdiff_t>(at_), words_.end()}; }

private:
    Option longOption(const std::string& word);
    Option shortOption();

    std::vector<std::string> words_;
    absl::Span<const SlurmOption> options_;
    std::size_t at_ = 0;
    std::size_t letter_ = 0; // in a bunch: the next one's place
};

} // namespace stoa::cli
