#include "frameworks/batch/job_command.h"

#include "protocol/strings.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace stoa::batch {

namespace {

// Opens the files as the shell does, in the work directory and with the user's rights; where it can't, it says so in the
// sandbox's stderr and ends with kNoFile. What is left of the arguments is executed in its place. (A shell whose `exec`
// can't open a file ends at once, so `true` tries before.)
std::string prologueOf(const JobSpec& spec, JobNumber job, std::uint32_t index, std::vector<std::string>& arguments) {
    std::string prologue;
    const auto redirect = [&](const std::string& pattern, const char* how) {
        if (pattern.empty()) return;
        prologue += concat("true ", how, "\"$1\" || exit ", kNoFile, "; exec ", how, "\"$1\"; shift; ");
        arguments.push_back(outputFile(pattern, spec, job, index));
    };
    redirect(spec.stdin_file, "<");
    redirect(spec.stdout_file, spec.append ? ">>" : ">");
    if (spec.stderr_file.empty()) {
        if (!spec.stdout_file.empty()) prologue += "exec 2>&1; ";
    } else if (spec.stderr_file == spec.stdout_file) {
        prologue += "exec 2>&1; ";
    } else {
        redirect(spec.stderr_file, spec.append ? "2>>" : "2>");
    }
    return prologue;
}

std::int64_t wholeCpus(const JobSpec& spec) {
    return std::max<std::int64_t>(1, (spec.shape.scalar(Resources::kCpus).count + 999) / 1000);
}

void addSlurmNames(const JobSpec& spec, const WhichTask& task, std::map<std::string, std::string>& environment) {
    const std::string job = concat(task.job);
    const std::string slots = concat(spec.slots);
    const std::int64_t cpus = wholeCpus(spec);
    environment["SLURM_JOB_ID"] = job;
    environment["SLURM_JOBID"] = job;
    environment["SLURM_JOB_NAME"] = spec.name;
    environment["SLURM_JOB_USER"] = spec.command.user;
    environment["SLURM_SUBMIT_DIR"] = spec.work_directory;
    environment["SLURM_NTASKS"] = slots;
    environment["SLURM_NPROCS"] = slots;
    environment["SLURM_CPUS_PER_TASK"] = concat(std::max<std::int64_t>(1, cpus / std::max(1u, spec.slots)));
    environment["SLURM_CPUS_ON_NODE"] = concat(cpus);
    environment["SLURM_JOB_CPUS_PER_NODE"] = concat(cpus);
    environment["SLURM_MEM_PER_NODE"] = concat(spec.shape.scalar(Resources::kMem).count / 1000);
    environment["SLURM_JOB_NUM_NODES"] = "1";
    environment["SLURM_NNODES"] = "1";
    environment["SLURM_NODELIST"] = task.host;
    environment["SLURM_JOB_NODELIST"] = task.host;
    environment["SLURMD_NODENAME"] = task.host;
    environment["SLURM_NODEID"] = "0";
    environment["SLURM_PROCID"] = "0";
    environment["SLURM_LOCALID"] = "0";
    if (task.attempt > 1) environment["SLURM_RESTART_COUNT"] = concat(task.attempt - 1);
    if (!spec.array) return;
    const IndexSet indices = spec.indices.empty() ? IndexSet::upTo(spec.count) : spec.indices;
    environment["SLURM_ARRAY_JOB_ID"] = job;
    environment["SLURM_ARRAY_TASK_ID"] = concat(task.index);
    environment["SLURM_ARRAY_TASK_COUNT"] = concat(spec.count);
    environment["SLURM_ARRAY_TASK_MIN"] = concat(indices.at(0));
    environment["SLURM_ARRAY_TASK_MAX"] = concat(indices.last());
    environment["SLURM_ARRAY_TASK_STEP"] = concat(indices.step());
}

} // namespace

CommandSpec commandOf(const JobSpec& spec, JobNumber job, std::uint32_t index) {
    CommandSpec command;
    command.user = spec.command.user;
    std::vector<std::string> arguments;
    std::string program = prologueOf(spec, job, index, arguments);
    if (program.empty() && spec.script.empty()) {
        command.shell = spec.command.shell;
        command.argv = spec.command.argv;
        return command;
    }
    if (!spec.script.empty()) {
        // Written by the task itself, so that the kernel reads the first line and no shell has to be guessed.
        program += "s=\"$STOA_SANDBOX/script\"; printf %s \"$1\" > \"$s\" && chmod 700 \"$s\" || exit 126; shift; "
                   "exec \"$s\" \"$@\"";
        arguments.push_back(spec.script);
        arguments.insert(arguments.end(), spec.command.argv.begin() + 1, spec.command.argv.end());
    } else {
        program += "exec \"$@\"";
        if (!spec.command.shell.empty()) arguments.insert(arguments.end(), {"/bin/sh", "-c", spec.command.shell});
        arguments.insert(arguments.end(), spec.command.argv.begin(), spec.command.argv.end());
    }
    command.argv = {"/bin/sh", "-c", std::move(program), "stoa-job"};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    return command;
}

void addOwnVariables(const JobSpec& spec, const WhichTask& task, std::map<std::string, std::string>& environment) {
    environment["STOA_JOB"] = concat(task.job);
    environment["STOA_TASK_INDEX"] = concat(task.index);
    environment["STOA_TASK_COUNT"] = concat(spec.count);
    environment["STOA_ATTEMPT"] = concat(task.attempt);
    if (!spec.work_directory.empty()) environment["STOA_SUBMIT_DIR"] = spec.work_directory;
    if (spec.slurm_environment) addSlurmNames(spec, task, environment);
}

} // namespace stoa::batch
