package conf

// key is one line of the table of keys that Heron's client knows by name.
type key struct {
	// name is how a token calls it: ${HERON_HOME} is the value of
	// heron.directory.home.
	name string
	key  string
	// value is the built-in default; nil for none.
	value any
}

const gibibyte = byteAmount(1 << 30)

// keyTable is complete: only its names are tokens, and its defaults are the
// lowest layer of every configuration.
var keyTable = [...]key{
	{"HERON_HOME", "heron.directory.home", "/usr/local/heron"},
	{"HERON_BIN", "heron.directory.bin", "${HERON_HOME}/bin"},
	{"HERON_CONF", "heron.directory.conf", "${HERON_HOME}/conf"},
	{"HERON_LIB", "heron.directory.lib", "${HERON_HOME}/lib"},
	{"HERON_DIST", "heron.directory.dist", "${HERON_HOME}/dist"},
	{"HERON_ETC", "heron.directory.etc", "${HERON_HOME}/etc"},
	{"JAVA_HOME", "heron.directory.java.home", "${JAVA_HOME}"},
	{"CLUSTER_YAML", "heron.config.file.cluster.yaml", "${HERON_CONF}/cluster.yaml"},
	{"CLIENT_YAML", "heron.config.file.client.yaml", "${HERON_CONF}/client.yaml"},
	{"HEALTHMGR_YAML", "heron.config.file.healthmgr.yaml", "${HERON_CONF}/healthmgr.yaml"},
	{"METRICS_YAML", "heron.config.file.metrics.yaml", "${HERON_CONF}/metrics_sinks.yaml"},
	{"PACKING_YAML", "heron.config.file.packing.yaml", "${HERON_CONF}/packing.yaml"},
	{"SCHEDULER_YAML", "heron.config.file.scheduler.yaml", "${HERON_CONF}/scheduler.yaml"},
	{"STATEMGR_YAML", "heron.config.file.statemgr.yaml", "${HERON_CONF}/statemgr.yaml"},
	{"SYSTEM_YAML", "heron.config.file.system.yaml", "${HERON_CONF}/heron_internals.yaml"},
	{"UPLOADER_YAML", "heron.config.file.uploader.yaml", "${HERON_CONF}/uploader.yaml"},
	{"DOWNLOADER_YAML", "heron.config.file.downloader.yaml", "${HERON_CONF}/downloader.yaml"},
	{"STATEFUL_YAML", "heron.config.file.stateful.yaml", "${HERON_CONF}/stateful.yaml"},
	{"CLUSTER", "heron.config.cluster", nil},
	{"ROLE", "heron.config.role", nil},
	{"ENVIRON", "heron.config.environ", nil},
	{"SUBMIT_USER", "heron.config.submit_user", nil},
	{"DRY_RUN", "heron.config.dry_run", false},
	{"DRY_RUN_FORMAT_TYPE", "heron.config.dry_run_format_type", nil},
	{"VERBOSE", "heron.config.verbose", false},
	{"VERBOSE_GC", "heron.config.verbose_gc", false},
	{"CONFIG_PROPERTY", "heron.config.property", nil},
	{"BUILD_VERSION", "heron.build.version", nil},
	{"BUILD_TIME", "heron.build.time", nil},
	{"BUILD_TIMESTAMP", "heron.build.timestamp", nil},
	{"BUILD_HOST", "heron.build.host", nil},
	{"BUILD_USER", "heron.build.user", nil},
	{"UPLOADER_CLASS", "heron.class.uploader", nil},
	{"LAUNCHER_CLASS", "heron.class.launcher", nil},
	{"SCHEDULER_CLASS", "heron.class.scheduler", nil},
	{"PACKING_CLASS", "heron.class.packing.algorithm", nil},
	{"REPACKING_CLASS", "heron.class.repacking.algorithm", nil},
	{"STATE_MANAGER_CLASS", "heron.class.state.manager", nil},
	{"AURORA_CONTROLLER_CLASS", "heron.class.scheduler.aurora.controller.cli", true},
	{"SCHEDULER_IS_SERVICE", "heron.scheduler.is.service", true},
	{"SCHEDULER_PROPERTIES", "heron.scheduler.properties", nil},
	{"SCHEDULER_JAR", "heron.jars.scheduler", "${HERON_LIB}/scheduler/heron-scheduler.jar"},
	{"INTERNALS_CONFIG_FILE", "heron.internals.config.file", nil},
	{"CORE_PACKAGE_DIRECTORY", "heron.package.core.directory", "${HERON_DIST}/heron-core"},
	{"CORE_PACKAGE_URI", "heron.package.core.uri", "${HERON_DIST}/heron-core.tar.gz"},
	{"USE_CORE_PACKAGE_URI", "heron.package.use_core_uri", true},
	{"TOPOLOGY_PACKAGE_URI", "heron.package.topology.uri", nil},
	{"TOPOLOGY_ID", "heron.topology.id", nil},
	{"TOPOLOGY_NAME", "heron.topology.name", nil},
	{"TOPOLOGY_DEFINITION_FILE", "heron.topology.definition.file", nil},
	{"TOPOLOGY_DEFINITION", "heron.topology.definition", nil},
	{"TOPOLOGY_BINARY_FILE", "heron.topology.binary.file", nil},
	{"TOPOLOGY_PACKAGE_FILE", "heron.topology.package.file", nil},
	{"TOPOLOGY_PACKAGE_TYPE", "heron.topology.package.type", nil},
	{"TOPOLOGY_CONTAINER_ID", "heron.topology.container.id", nil},
	{"SCHEDULER_PROXY_CONNECTION_STRING", "heron.proxy.connection.string", nil},
	{"SCHEDULER_PROXY_CONNECTION_TYPE", "heron.proxy.connection.type", nil},
	{"STATEMGR_CONNECTION_STRING", "heron.statemgr.connection.string", nil},
	{"STATEMGR_ROOT_PATH", "heron.statemgr.root.path", nil},
	{"STMGR_RAM", "heron.resources.stmgr.ram", gibibyte},
	{"CKPTMGR_RAM", "heron.resources.ckptmgr.ram", gibibyte},
	{"METRICSMGR_RAM", "heron.resources.metricsmgr.ram", gibibyte},
	{"INSTANCE_RAM", "heron.resources.instance.ram", gibibyte},
	{"INSTANCE_CPU", "heron.resources.instance.cpu", float64(1.0)},
	{"INSTANCE_DISK", "heron.resources.instance.disk", gibibyte},
	{"STATEFUL_STORAGE_CLASSNAME", "heron.statefulstorage.classname", nil},
	{"STATEFUL_STORAGE_CONF", "heron.statefulstorage.config", nil},
	{"STATEFUL_STORAGE_CUSTOM_CLASSPATH", "heron.statefulstorage.custom.classpath", nil},
	{"METRICSCACHEMGR_MODE", "heron.topology.metricscachemgr.mode", "disabled"},
	{"HEALTHMGR_MODE", "heron.topology.healthmgr.mode", nil},
	{"INSTANCE_CLASSPATH", "heron.classpath.instance", "${HERON_LIB}/instance/*"},
	{"HEALTHMGR_CLASSPATH", "heron.classpath.healthmgr", "${HERON_LIB}/healthmgr/*"},
	{"METRICSMGR_CLASSPATH", "heron.classpath.metrics.manager", "${HERON_LIB}/metricsmgr/*"},
	{"METRICSCACHEMGR_CLASSPATH", "heron.classpath.metricscache.manager", "${HERON_LIB}/metricscachemgr/*"},
	{"PACKING_CLASSPATH", "heron.classpath.packing", "${HERON_LIB}/packing/*"},
	{"SCHEDULER_CLASSPATH", "heron.classpath.scheduler", "${HERON_LIB}/scheduler/*"},
	{"STATEMGR_CLASSPATH", "heron.classpath.statemgr", "${HERON_LIB}/statemgr/*"},
	{"UPLOADER_CLASSPATH", "heron.classpath.uploader", "${HERON_LIB}/uploader/*"},
	{"CKPTMGR_CLASSPATH", "heron.classpath.ckptmgr", "${HERON_LIB}/ckptmgr/*"},
	{"STATEFULSTORAGE_CLASSPATH", "heron.classpath.statefulstorage", "${HERON_LIB}/statefulstorage/*"},
	{"TOPOLOGY_CLASSPATH", "heron.runtime.topology.class.path", nil},
	{"SCHEDULER_STATE_MANAGER_ADAPTOR", "heron.runtime.scheduler.state.manager.adaptor", nil},
	{"SCHEDULER_SHUTDOWN", "heron.runtime.scheduler.shutdown", nil},
	{"PACKING_CLASS_INSTANCE", "heron.runtime.packing.class.instance", nil},
	{"LAUNCHER_CLASS_INSTANCE", "heron.runtime.launcher.class.instance", nil},
	{"COMPONENT_RAMMAP", "heron.runtime.component.rammap", nil},
	{"COMPONENT_JVM_OPTS_IN_BASE64", "heron.runtime.component.jvm.opts.in.base64", nil},
	{"INSTANCE_JVM_OPTS_IN_BASE64", "heron.runtime.instance.jvm.opts.in.base64", nil},
	{"NUM_CONTAINERS", "heron.runtime.num.containers", nil},
	{"DOWNLOADER_PROTOCOLS", "heron.downloader.registry", nil},
	{"HERON_RELEASE_PACKAGE", "heron.release.package", nil},
	{"HERON_RELEASE_PACKAGE_ROLE", "heron.release.package.role", nil},
	{"HERON_RELEASE_PACKAGE_NAME", "heron.release.package.name", nil},
	{"HERON_RELEASE_PACKAGE_VERSION", "heron.release.package.version", nil},
	{"HERON_UPLOADER_VERSION", "heron.uploader.version", nil},
	{"HERON_CLUSTER_HOME", "heron.directory.cluster.home", "./heron-core"},
	{"HERON_CLUSTER_CONF", "heron.directory.cluster.conf", "./heron-conf"},
	{"HERON_CLUSTER_JAVA_HOME", "heron.directory.sandbox.java.home", "/usr/lib/jvm/default-java"},
	{"OVERRIDE_YAML", "heron.config.file.override.yaml", "${HERON_CONF}/override.yaml"},
	{"APISERVER_OVERRIDE_YAML", "heron.apiserver.file.override.yaml", nil},
	{"EXECUTOR_BINARY", "heron.binaries.executor", "${HERON_BIN}/heron-executor"},
	{"STMGR_BINARY", "heron.binaries.stmgr", "${HERON_BIN}/heron-stmgr"},
	{"TMANAGER_BINARY", "heron.binaries.tmanager", "${HERON_BIN}/heron-tmanager"},
	{"SHELL_BINARY", "heron.binaries.shell", "${HERON_BIN}/heron-shell"},
	{"PYTHON_INSTANCE_BINARY", "heron.binaries.python.instance", "${HERON_BIN}/heron-python-instance"},
	{"CPP_INSTANCE_BINARY", "heron.binaries.cpp.instance", "${HERON_BIN}/heron-cpp-instance"},
	{"DOWNLOADER_BINARY", "heron.binaries.downloader", "${HERON_BIN}/heron-downloader"},
	{"DOWNLOADER_CONF", "heron.binaries.downloader-conf", "${HERON_BIN}/heron-downloader-config"},
	{"UPDATE_PROMPT", "heron.command.update.prompt", "disabled"},
}

// keyNamed returns the key of a token's name.
func keyNamed(name string) (string, bool) {
	if name == "TOPOLOGY" {
		name = "TOPOLOGY_NAME"
	}
	for i := range keyTable {
		if keyTable[i].name == name {
			return keyTable[i].key, true
		}
	}
	return "", false
}
