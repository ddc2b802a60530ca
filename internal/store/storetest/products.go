package storetest

import (
	"fmt"
	"net"
	"path/filepath"
	"syscall"
)

// postgres is PostgreSQL. Its databases sort as people do, not byte by byte, so that the store has to say what it wants.
func postgres() product {
	return product{
		driver: "postgres", name: "PostgreSQL", debian: "postgresql", user: "postgres",
		programs: []string{"initdb", "postgres"}, directories: "/usr/lib/postgresql/*/bin",
		prepare: func(programs []string, dir string) []string {
			return []string{
				programs[0], "--pgdata", filepath.Join(dir, "data"), "--username", "postgres", "--auth", "trust", "--no-sync",
				"--encoding", "UTF8", "--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en",
			}
		},
		serve: func(programs []string, dir string) []string {
			return []string{
				programs[1], "-D", filepath.Join(dir, "data"), "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off",
				"-c", "shared_buffers=16MB", "-c", "max_connections=100",
			}
		},
		socket: func(dir string) string { return filepath.Join(dir, ".s.PGSQL.5432") },
		dsn: func(dir, user, database, address string) string {
			host, port := dir, "5432"
			if address != "" {
				host, port, _ = net.SplitHostPort(address)
			}
			return fmt.Sprintf("host=%s port=%s user=%s dbname=%s sslmode=disable", host, port, user, database)
		},
		admin: "postgres", adminDatabase: "postgres", raw: " session_replication_role=replica",
		create: []string{
			`DO $$ BEGIN CREATE ROLE cpm LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
			"CREATE DATABASE @name OWNER cpm",
		},
		disconnect:  `SELECT 'SELECT pg_terminate_backend(' || pid || ')' FROM pg_stat_activity WHERE datname = '@name' AND usename = 'cpm'`,
		placeholder: func(n int) string { return fmt.Sprintf("$%d", n) },
		crash:       syscall.SIGQUIT, // "immediate shutdown": recovery at the next start, and no process is left behind
	}
}

// maria is MariaDB with the settings it comes with, which take PayerFSP and payerfsp for one name.
func maria() product {
	return product{
		driver: "mysql", name: "MariaDB", debian: "mariadb-server", user: "mysql",
		programs: []string{"mariadb-install-db", "mariadbd"}, directories: "/usr/sbin",
		prepare: func(programs []string, dir string) []string {
			return []string{
				programs[0], "--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--auth-root-authentication-method=normal",
				"--skip-test-db", "--skip-name-resolve",
			}
		},
		serve: func(programs []string, dir string) []string {
			return []string{
				programs[1], "--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--tmpdir=" + dir, "--socket=" + mariaSocket(dir),
				"--pid-file=" + filepath.Join(dir, "pid"), "--skip-networking", "--innodb-buffer-pool-size=32M",
				// 2 writes at every commit and leaves the rest to the operating system: a crash of the process loses nothing.
				"--innodb-flush-log-at-trx-commit=2",
			}
		},
		socket: mariaSocket,
		dsn: func(dir, user, database, address string) string {
			where := "unix(" + mariaSocket(dir) + ")"
			if address != "" {
				where = "tcp(" + address + ")"
			}
			return user + "@" + where + "/" + database
		},
		admin: "root", adminDatabase: "mysql", raw: "?sql_mode=ANSI_QUOTES&foreign_key_checks=0",
		create: []string{
			"CREATE DATABASE @name", "CREATE USER IF NOT EXISTS cpm@localhost", "GRANT ALL ON @name.* TO cpm@localhost",
		},
		disconnect:  `SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE db = '@name' AND user = 'cpm'`,
		placeholder: func(int) string { return "?" },
		crash:       syscall.SIGKILL,
	}
}

func mariaSocket(dir string) string { return filepath.Join(dir, "socket") }
