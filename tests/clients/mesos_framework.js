// Drives npm's mesos-framework, as it comes, against a master: what its scheduler is told is printed, a line each.
//
//   node mesos_framework.js PORT USER first            three tasks: one ends well, one fails, one runs for long
//   node mesos_framework.js PORT USER second ID TASK AGENT
//                              another scheduler of the framework: asks for the long task, kills it, and tears down
"use strict";

const { Scheduler, Mesos } = require("mesos-framework");
const mesos = Mesos.getMesos();

const [port, user, part, frameworkId, taskId, agentId] = process.argv.slice(2);

function task(priority, line) {
    return {
        priority,
        instances: 1,
        commandInfo: new mesos.CommandInfo(null, new mesos.Environment([]), true, line, null, null),
        resources: { cpus: 0.5, mem: 64, ports: 1, disk: 0 },
    };
}

const scheduler = new Scheduler({
    masterUrl: "127.0.0.1",
    port,
    user,
    frameworkName: "third-party",
    frameworkFailoverTimeout: 60,
    masterConnectionTimeout: 60, // its default is shorter than a heartbeat
    restartStates: ["TASK_LOST"],
    logging: { path: process.env.LOG_DIR, fileName: "client.log", level: "error" },
    tasks:
        part === "first"
            ? { good: task(1, "echo fine"), bad: task(2, "exit 7"), long: task(3, "exec sleep 600") }
            : {},
});

function say(...words) {
    console.log(words.join(" "));
}

scheduler.on("ready", () => {
    if (part === "second") scheduler.frameworkId = frameworkId;
    scheduler.subscribe();
});
scheduler.on("subscribed", (told) => {
    say("SUBSCRIBED", told.frameworkId);
    if (part === "second") scheduler.reconcile(taskId, agentId);
});
scheduler.on("heartbeat", () => say("HEARTBEAT"));
scheduler.on("update", (update) => {
    const status = update.status;
    say("UPDATE", status.task_id.value, status.agent_id.value, status.state, status.reason || "-");
    if (part !== "second") return;
    if (status.state === "TASK_RUNNING") scheduler.kill(taskId, agentId);
    if (status.state === "TASK_KILLED") scheduler.teardown();
});
scheduler.on("sent_teardown", () => {
    say("TORN_DOWN");
    process.exit(0);
});
scheduler.on("error", (error) => {
    say("ERROR", error.message || error);
    process.exit(part === "first" ? 3 : 1);
});
