# Nomad job of the API server in a container; see Dockerfile beside this file:
#
#   nomad job run -var image=registry.example.com/heron:1.0 -var zookeeper=zk1:2181 -var nomad=http://10.0.0.5:4646 \
#     scripts/apiserver/apiserver-docker.nomad.hcl
#
# Packages lie in a folder of the node, so that they outlive the container; the docker plugin has to allow volumes.
variable "image" {
  type = string
}

variable "zookeeper" {
  type        = string
  description = "ZooKeeper's servers, host:port with commas between them"
}

variable "nomad" {
  type        = string
  description = "Nomad's HTTP address"
}

variable "datacenters" {
  type    = list(string)
  default = ["*"]
}

variable "packages" {
  type    = string
  default = "/var/lib/heron/packages"
}

variable "flags" {
  type    = list(string)
  default = []
}

job "heron-apiserver" {
  datacenters = var.datacenters
  type        = "service"

  group "apiserver" {
    count = 1

    network {
      port "http" {
        static = 9000
        to     = 9000
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
      driver       = "docker"
      kill_timeout = "2m"

      config {
        image = var.image
        ports   = ["http"]
        volumes = ["${var.packages}:/var/lib/heron/packages"]
        args = concat([
          "--cluster", "nomad",
          "--base-template", "nomad",
          "--download-hostname", "${attr.unique.network.ip-address}",
          "-D", "heron.statemgr.connection.string=${var.zookeeper}",
          "-D", "heron.nomad.scheduler.uri=${var.nomad}",
          "-D", "heron.class.uploader=org.apache.heron.uploader.http.HttpUploader",
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
