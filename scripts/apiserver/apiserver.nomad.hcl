# Nomad job of the API server, as a plain process of a node:
#
#   nomad job run -var zookeeper=zk1:2181 -var nomad=http://10.0.0.5:4646 scripts/apiserver/apiserver.nomad.hcl
#
# Every node that may run it needs the installation (make install PREFIX=/opt/heron).
variable "zookeeper" {
  type        = string
  description = "ZooKeeper's servers, host:port with commas between them"
}

variable "nomad" {
  type        = string
  description = "Nomad's HTTP address"
}

variable "command" {
  type    = string
  default = "/opt/heron/bin/heron-apiserver"
}

variable "datacenters" {
  type    = list(string)
  default = ["*"]
}

variable "port" {
  type    = number
  default = 9000
}

variable "packages" {
  type        = string
  default     = "/var/lib/heron/packages"
  description = "folder for packages, which outlive the server's allocation"
}

variable "flags" {
  type        = list(string)
  default     = []
  description = "further flags, such as --token-file"
}

job "heron-apiserver" {
  datacenters = var.datacenters
  type        = "service"

  group "apiserver" {
    count = 1

    network {
      port "http" {
        static = var.port
      }
    }

    service {
      provider = "nomad"
      name     = "heron-apiserver"
      port     = "http"

      check {
        type     = "http"
        path     = "/readyz"
        interval = "10s"
        timeout  = "6s"
      }
    }

    task "apiserver" {
      driver = "raw_exec"
      # SIGTERM drains.
      kill_timeout = "2m"

      config {
        command = var.command
        args = concat([
          "--cluster", "nomad",
          "--base-template", "nomad",
          "--port", "${NOMAD_PORT_http}",
          # The address that other nodes have for this one.
          "--download-hostname", "${attr.unique.network.ip-address}",
          "-D", "heron.statemgr.connection.string=${var.zookeeper}",
          "-D", "heron.nomad.scheduler.uri=${var.nomad}",
          "-D", "heron.class.uploader=org.apache.heron.uploader.http.HttpUploader",
          "-D", "heron.apiserver.http.file.system.directory=${var.packages}",
          "--drain-timeout", "90s",
        ], var.flags)
      }

      resources {
        cpu    = 500
        memory = 256
      }
    }
  }
}
